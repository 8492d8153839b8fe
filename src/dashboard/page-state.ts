/** The snapshot as pages and GET /api/state get it. Pure. */

import type { SwitchoverSummary } from '../domain/event.ts';
import type { MigrationStatus, ReadinessItem } from '../observers/status.ts';
import { guardrails, type Limits } from './guardrail.ts';
import type { Sample } from './sample.ts';
import { sentence } from './sentence.ts';
import type { Snapshot } from './snapshot.ts';
import { type Stage, stages } from './stage.ts';

export interface PageState {
  readonly migration: string;
  /** Since the servers were last seen; undefined: not yet. */
  readonly ageMs: number | undefined;
  readonly problem: string | undefined;
  readonly sentence: string;
  readonly stages: readonly Stage[];
  readonly status: MigrationStatus | undefined;
  readonly guardrails: readonly ReadinessItem[];
  readonly now: Sample | undefined;
  readonly lastSwitch: LastSwitch | undefined;
}

type LastSwitch = Pick<SwitchoverSummary, 'direction' | 'to' | 'pauseMs' | 'waits'> & { readonly at: string };

export interface PageSettings extends Limits {
  readonly migration: string;
}

export function pageState(snapshot: Snapshot, settings: PageSettings, nowMs: number): PageState {
  const { status, problem, seenAtMs } = snapshot;
  const events = snapshot.journal.map(({ event }) => event);
  return {
    migration: settings.migration,
    ageMs: seenAtMs === undefined ? undefined : Math.max(0, nowMs - seenAtMs),
    problem,
    sentence: status === undefined ? unseen(problem) : sentence(status),
    stages: stages(status?.phase ?? 'new', events),
    status,
    guardrails: status === undefined ? [] : guardrails(status, settings),
    now: snapshot.samples.at(-1),
    lastSwitch: lastSwitch(snapshot),
  };
}

const unseen = (problem: string | undefined): string =>
  problem === undefined ? 'Looking at the servers.' : 'The servers cannot be asked.';

function lastSwitch({ journal }: Snapshot): LastSwitch | undefined {
  const event = journal.map((entry) => entry.event).findLast(({ type }) => type === 'switchover-finished');
  if (event?.type !== 'switchover-finished') return undefined;
  const { direction, to, pauseMs, waits } = event.data;
  return { at: event.at, direction, to, pauseMs, waits };
}
