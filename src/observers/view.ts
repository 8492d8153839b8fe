/** What a run looks like at one moment: a fold over its events. Pure; time comes from the events. */

import { type CopyProgress, databasePrefix, type EventMap, type MigrationEvent } from '../domain/event.ts';
import type { Phase } from '../domain/phase.ts';
import { addSample, ratePerSecond, type Sample } from '../domain/progress.ts';

export interface StepView {
  readonly id: string;
  readonly title: string;
  readonly waitingFor: string | undefined;
}

export interface View {
  readonly startedAtMs: number | undefined;
  readonly phase: Phase | undefined;
  /** The step under way. */
  readonly step: StepView | undefined;
  readonly copy: CopyProgress | undefined;
  readonly isCopying: boolean;
  /** "schema.table" -> bytes per second. */
  readonly tableRates: ReadonlyMap<string, readonly Sample[]>;
  readonly indexes: EventMap['index-progress'] | undefined;
  readonly lag: EventMap['lag-sampled'] | undefined;
  readonly verify: EventMap['verify-progress'] | undefined;
  readonly switchover: { readonly direction: string; readonly stepsDone: number } | undefined;
}

export const EMPTY_VIEW: View = {
  startedAtMs: undefined,
  phase: undefined,
  step: undefined,
  copy: undefined,
  isCopying: false,
  tableRates: new Map(),
  indexes: undefined,
  lag: undefined,
  verify: undefined,
  switchover: undefined,
};

const RATE_WINDOW_MS = 5000;

export function foldView(view: View, event: MigrationEvent): View {
  const started = { ...view, startedAtMs: view.startedAtMs ?? Date.parse(event.at) };
  switch (event.type) {
    case 'phase-changed':
      return { ...started, phase: event.data.to };
    case 'step-started':
      return {
        ...started,
        step: {
          id: event.data.step,
          title: databasePrefix(event.data) + event.data.title,
          waitingFor: undefined,
        },
      };
    case 'step-waiting':
      return {
        ...started,
        step: {
          id: event.data.step,
          title: view.step?.id === event.data.step ? view.step.title : event.data.step,
          waitingFor: event.data.waitingFor,
        },
      };
    case 'step-finished':
    case 'step-failed':
      return view.step?.id === event.data.step ? { ...started, step: undefined } : started;
    case 'copy-progress':
      return {
        ...started,
        copy: named(event.data),
        isCopying: true,
        tableRates: rates(view, named(event.data), event.at),
        step: view.step === undefined ? undefined : { ...view.step, waitingFor: event.data.pausedBy },
      };
    case 'copy-finished':
      return { ...started, isCopying: false };
    case 'index-progress':
      return { ...started, indexes: event.data };
    case 'lag-sampled':
      return { ...started, lag: event.data };
    case 'verify-progress':
      return {
        ...started,
        verify: { ...event.data, table: databasePrefix(event.data) + event.data.table },
      };
    case 'verification-finished':
      return { ...started, verify: undefined };
    case 'switchover-started':
      return { ...started, switchover: { direction: event.data.direction, stepsDone: 0 } };
    case 'switchover-step': {
      const stepsDone = (view.switchover?.stepsDone ?? 0) + 1;
      return { ...started, switchover: { direction: event.data.direction, stepsDone } };
    }
    case 'switchover-finished':
    case 'switchover-aborted':
      return { ...started, switchover: undefined };
    case 'schema-changed':
    case 'warning':
      return started;
  }
}

/** Tables of several databases may have the same names. */
function named(progress: CopyProgress & { readonly database?: string }): CopyProgress {
  const prefix = databasePrefix(progress);
  return prefix === ''
    ? progress
    : { ...progress, running: progress.running.map((one) => ({ ...one, table: prefix + one.table })) };
}

/** Only tables under way: a finished one is forgotten. */
function rates(view: View, progress: CopyProgress, at: string): ReadonlyMap<string, readonly Sample[]> {
  return new Map(
    progress.running.map(({ table, bytes }) => [
      table,
      addSample(view.tableRates.get(table) ?? [], { atMs: Date.parse(at), value: bytes }, RATE_WINDOW_MS),
    ]),
  );
}

export const tableRate = (view: View, table: string): number =>
  ratePerSecond(view.tableRates.get(table) ?? []);
