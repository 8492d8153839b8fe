import { describe, expect, test } from 'vitest';
import type { MigrationEvent, SwitchoverSummary, VerificationTable } from '../../domain/event.ts';
import { buildReport, type ReportFacts } from '../report.ts';
import { Html, html } from './html.ts';
import { reportHtml } from './page.ts';

const at = '2026-11-22T06:02:11.123Z';
const EVIL = `<script>alert(1)</script>"'\`&<img src=x onerror=alert(1)>\u202e\u0007`;

const facts: ReportFacts = {
  migration: `shop ${EVIL}`,
  generatedAt: at,
  pgglideVersion: '0.1.0',
  phase: 'switched',
  activeSide: 'target',
  source: { address: `pg15:5432/${EVIL}`, version: '15.18' },
  target: { address: 'pg16:5432/shop', version: undefined },
  sequences: 87,
  notCarried: [{ object: EVIL, reason: EVIL }],
};

const table = (name: string, equal: boolean): VerificationTable => ({
  table: name,
  equal,
  sourceRows: 12_345,
  targetRows: equal ? 12_345 : 12_344,
  fingerprint: 'beef',
  ms: 1,
});

const SUMMARY: SwitchoverSummary = {
  direction: 'cutover',
  from: 'source',
  to: 'target',
  epoch: 1,
  pauseMs: 50,
  waits: {
    heldRequests: 212,
    longestWaitMs: 53.2,
    p50Ms: 12,
    p95Ms: 40,
    p99Ms: 50,
    failedRequests: 0,
    sessionsMoved: 16,
  },
  steps: [
    { id: 'check', title: EVIL, ms: 7, paused: false, note: EVIL },
    { id: 'pause', title: 'Hold', ms: 20, paused: true, heldMs: 20 },
    { id: 'drain', title: 'Drain', ms: 30, paused: true, heldMs: 50 },
    { id: 'after', title: 'After', ms: 9, paused: false },
  ],
  sequences: 87,
  drainedLsn: '5/8A21F3C8',
};

const events: MigrationEvent[] = [
  { type: 'phase-changed', at, data: { from: 'new', to: 'syncing' } },
  { type: 'step-finished', at, data: { step: 'a', title: EVIL, outcome: 'changed', ms: 1 } },
  { type: 'copy-finished', at, data: { tables: 3, rows: 1234, bytes: 2048, seconds: 2 } },
  { type: 'warning', at, data: { code: 'x', message: EVIL, hint: EVIL } },
  {
    type: 'switchover-aborted',
    at,
    data: { direction: 'cutover', step: EVIL, code: 'drain_timeout', message: EVIL, pauseMs: 2000 },
  },
  { type: 'switchover-started', at, data: SUMMARY },
  { type: 'switchover-finished', at, data: SUMMARY },
  {
    type: 'verification-finished',
    at,
    data: {
      mode: 'pinned',
      equal: false,
      tables: [table('public.a', true), table(EVIL, false)],
      sequencesEqual: true,
      seconds: 3,
    },
  },
];
const page = (list = events, more: Partial<ReportFacts> = {}) =>
  reportHtml(buildReport(list, { ...facts, ...more }));

test('a value is text, in an element and in an attribute; what the source says is markup', () => {
  const cell = html`<td title="${'"><b>'}">${EVIL}</td>`;
  expect(cell.text).toBe(
    '<td title="&quot;&gt;&lt;b&gt;">&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&#96;&amp;&lt;img src=x onerror=alert(1)&gt;??</td>',
  );
  expect(html`${[html`<i>${1}</i>`, html`<i>${'<'}</i>`]}`.text).toBe('<i>1</i><i>&lt;</i>');
  expect(new Html('<b>').text).toBe('<b>');
});

describe('the page', () => {
  test('has no tag that this program did not write, whatever a name says', () => {
    const tags = new Set(Array.from(page().matchAll(/<\/?([a-z!][a-z0-9]*)/gi), ([, name]) => name));
    expect(tags).not.toContain('script');
    expect(tags).not.toContain('img');
    expect(page()).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page()).not.toContain('\u202e');
  });

  test('needs nothing else', () => {
    const text = page().replace(/sha256-[^']+/, '');
    expect(text).not.toMatch(/https?:|\/\/|url\(|@import|<link|<iframe|<object|\son\w+="|\sstyle="/);
    expect(page()).toContain("default-src 'none'");
  });

  test('closes what it opens, and every id is there once', () => {
    const open: string[] = [];
    for (const [, end, name = ''] of page().matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(?<!\/)>/g)) {
      if (['meta'].includes(name)) continue;
      if (end === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
    const ids = Array.from(page().matchAll(/\sid="([^"]+)"/g), ([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('is one heading, sections with theirs, and tables with captions and scopes', () => {
    const text = page();
    expect(text.match(/<h1>/g)).toHaveLength(1);
    expect(text.match(/<caption>/g)).toHaveLength(text.match(/<table>/g)?.length ?? 0);
    expect(text).not.toMatch(/<th>/);
    expect(text.match(/<th /g)).toHaveLength(text.match(/<th [^>]*scope="(col|row|rowgroup)"/g)?.length ?? 0);
    for (const part of ['overview', 'servers', 'way-back', 'switchovers', 'aborted', 'evidence', 'timeline'])
      expect(text).toContain(`<h2 id="${part}">`);
  });

  test('says what the text report says', () => {
    const text = page();
    for (const expected of [
      '15.18 → ?',
      'not reachable',
      '1 234 rows',
      '53 ms',
      '✔ 0',
      '✖ differs',
      '✔ equal',
      '12 344',
      'beef',
      '5/8A21F3C8',
      'drain_timeout',
      '<code>pgglide rollback</code>',
      '<time datetime="2026-11-22T06:02:11.123Z">2026-11-22 06:02:11 UTC</time>',
    ]) {
      expect(text).toContain(expected);
    }
    // What differs comes first.
    const tables = text.slice(text.indexOf('Fingerprints of'));
    expect(tables.indexOf('✖ differs')).toBeLessThan(tables.indexOf('✔ equal'));
  });

  test('shows when each step of the pause ran', () => {
    const bars = Array.from(page().matchAll(/<rect x="([\d.]+)" width="([\d.]+)"/g), ([, x, width]) => [
      x,
      width,
    ]);
    expect(bars).toEqual([
      ['0.00', '40.00'],
      ['40.00', '60.00'],
    ]);
    expect(page().match(/Nobody waits|Requests wait</g)).toEqual([
      'Nobody waits',
      'Requests wait<',
      'Nobody waits',
    ]);
  });

  test('of a migration that has only begun holds what there is', () => {
    const text = page([], { phase: 'syncing', activeSide: 'source', notCarried: [] });
    expect(text).toContain('▶ In progress');
    expect(text).toContain('not compared yet');
    for (const part of ['switchovers', 'aborted', 'evidence', 'timeline', 'warnings', 'not-carried'])
      expect(text).not.toContain(`<h2 id="${part}">`);
  });
});
