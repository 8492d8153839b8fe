import { expect, test } from 'vitest';
import type { Finding } from './finding.ts';
import { mergeFindings } from './merge-findings.ts';

const finding = (
  id: Finding['id'],
  severity: Finding['severity'],
  title: string,
  database: string,
): Finding => ({
  id,
  severity,
  title,
  database,
});

test('one database: as it is', () => {
  const list = [finding('PGG101', 'ok', 'wal_level', 'shop')];
  expect(mergeFindings([list])).toEqual(list);
});

test('what is true of the servers is said once, what is true of a database names it', () => {
  const shop = [
    finding('PGG101', 'blocker', 'wal_level is replica', 'shop'),
    finding('PGG104', 'ok', '4 slots free', 'shop'),
    finding('PGG131', 'ok', 'every table has a key', 'shop'),
  ];
  const billing = [
    finding('PGG101', 'blocker', 'wal_level is replica', 'billing'),
    finding('PGG104', 'ok', '4 slots free', 'billing'),
    finding('PGG131', 'blocker', 'public.log has no key', 'billing'),
  ];
  expect(mergeFindings([shop, billing])).toEqual([
    { id: 'PGG101', severity: 'blocker', title: 'wal_level is replica' },
    { id: 'PGG104', severity: 'ok', title: '4 slots free' },
    finding('PGG131', 'blocker', 'public.log has no key', 'billing'),
  ]);
});
