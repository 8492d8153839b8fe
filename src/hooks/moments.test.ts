import { describe, expect, test } from 'vitest';
import { switchoverSummary } from '../../test/fixtures/switchover-summary.ts';
import { RefusedError } from '../domain/errors.ts';
import type { MigrationEvent, SwitchoverDirection } from '../domain/event.ts';
import { failureMoment, type KnownSide, momentOf, sideAfter } from './moments.ts';

const at = '2026-11-22T06:02:11.000Z';
const phase = (from: 'new' | 'syncing' | 'switched', to: 'syncing' | 'following'): MigrationEvent => ({
  type: 'phase-changed',
  at,
  data: { from, to },
});
const verified = (equal: boolean): MigrationEvent => ({
  type: 'verification-finished',
  at,
  data: {
    mode: 'online',
    equal,
    tables: ['a', 'b'].map((table) => ({
      table,
      equal,
      sourceRows: 5,
      targetRows: 5,
      fingerprint: 'x',
      ms: 1,
    })),
    sequencesEqual: undefined,
    seconds: 2,
  },
});
const finished = (direction: SwitchoverDirection): MigrationEvent => ({
  type: 'switchover-finished',
  at,
  data: switchoverSummary(direction),
});
const begun = (direction: SwitchoverDirection): MigrationEvent => ({
  type: 'switchover-started',
  at,
  data: switchoverSummary(direction),
});
const given = (direction: SwitchoverDirection): MigrationEvent => ({
  type: 'switchover-aborted',
  at,
  data: { direction, step: 'x', code: 'c', message: 'm', pauseMs: 1 },
});

describe('moments', () => {
  test('following: after the copy, not after a rollback', () => {
    expect(momentOf(phase('syncing', 'following'))).toEqual({ hook: 'on-following', at, facts: {} });
    expect(momentOf(phase('switched', 'following'))).toBeUndefined();
    expect(momentOf(phase('new', 'syncing'))).toBeUndefined();
  });

  test('a schema that changed, as it is told', () => {
    const data = {
      side: 'source',
      fingerprint: 'ab',
      changes: 'c',
      statements: [],
      statementCount: 0,
    } as const;
    const facts = { schemaChange: data };
    expect(momentOf({ type: 'schema-changed', at, data })).toEqual({ hook: 'on-schema-changed', at, facts });
  });

  test('validated: only when both sides were equal, in few words', () => {
    expect(momentOf(verified(true))).toEqual({
      hook: 'on-validated',
      at,
      facts: { verification: { mode: 'online', tables: 2, rows: 10, sequencesEqual: undefined, seconds: 2 } },
    });
    expect(momentOf(verified(false))).toBeUndefined();
  });

  test('switched: there and back, not after a rehearsal', () => {
    for (const direction of ['cutover', 'rollback'] as const) {
      const { steps: _, ...told } = switchoverSummary(direction);
      expect(momentOf(finished(direction))).toEqual({
        hook: 'on-switched',
        at,
        facts: { switchover: told },
      });
    }
    expect(momentOf(finished('rehearsal'))).toBeUndefined();
  });

  test('a failure is told with its code, or where the result is the failure, without', () => {
    const error = new RefusedError('not_ready', 'no', { hint: 'later', facts: { more: 1 } });
    expect(failureMoment('cutover', 7, error, at).facts).toEqual({
      command: 'cutover',
      exitCode: 7,
      error: { code: 'not_ready', message: 'no', hint: 'later' },
    });
    expect(failureMoment('verify', 5, undefined, at).facts).toEqual({ command: 'verify', exitCode: 5 });
  });
});

test.each<[string, MigrationEvent[], KnownSide]>([
  ['a new migration', [phase('new', 'syncing')], 'source'],
  ['a switch that is under way, or broke off', [begun('cutover')], 'unknown'],
  ['there', [begun('cutover'), finished('cutover')], 'target'],
  ['back', [begun('rollback'), finished('rollback')], 'source'],
  ['a cutover that was given up', [begun('cutover'), given('cutover')], 'source'],
  ['a rollback that was given up', [begun('rollback'), given('rollback')], 'target'],
  ['a rehearsal', [phase('new', 'syncing'), begun('rehearsal'), finished('rehearsal')], 'source'],
])('the active side: %s', (_, events, side) => {
  expect(events.reduce(sideAfter, 'unknown' as KnownSide)).toBe(side);
});
