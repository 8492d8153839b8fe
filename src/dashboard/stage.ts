/** The stations of a migration, as one line. Pure. */

import type { MigrationEvent } from '../domain/event.ts';
import type { Phase } from '../domain/phase.ts';

export type StageState = 'done' | 'running' | 'waiting' | 'failed';

export interface Stage {
  readonly title: string;
  readonly state: StageState;
}

const TITLES = ['Schema', 'Copy', 'Indexes', 'Follow', 'Cut over', 'Complete'] as const;
const FOLLOW = TITLES.indexOf('Follow');

/** The steps of `sync`, by the stage that they belong to; all others are of the following. */
const STAGE_OF_STEP: Readonly<Record<string, number>> = {
  'install-own-schema': 0,
  'carry-roles': 0,
  'load-schema': 0,
  'discard-stale-copy': 1,
  'copy-tables': 1,
  'carry-database-settings': 1,
  'build-indexes': 2,
  'build-helper-indexes': 2,
};

/** How many stages are behind us, and whether the next one is under way. */
const REACHED: Readonly<Record<Exclude<Phase, 'syncing'>, number>> = {
  new: 0,
  following: FOLLOW,
  switched: FOLLOW + 2,
  completed: TITLES.length,
  aborted: 0,
};

export function stages(phase: Phase, journal: readonly MigrationEvent[]): Stage[] {
  const last = journal.findLast(
    (event) =>
      event.type === 'step-started' || event.type === 'step-finished' || event.type === 'step-failed',
  );
  const step =
    last !== undefined && 'step' in last.data && typeof last.data.step === 'string' ? last.data.step : '';
  const reached = phase === 'syncing' ? (STAGE_OF_STEP[step] ?? (step === '' ? 0 : FOLLOW)) : REACHED[phase];
  const hasFailed = phase === 'syncing' && last?.type === 'step-failed';
  const isUnderWay = phase === 'syncing' || phase === 'following';
  return TITLES.map((title, index) => ({ title, state: stateOf(index - reached, isUnderWay, hasFailed) }));
}

function stateOf(ahead: number, isUnderWay: boolean, hasFailed: boolean): StageState {
  if (ahead < 0) return 'done';
  if (ahead > 0 || !isUnderWay) return 'waiting';
  return hasFailed ? 'failed' : 'running';
}
