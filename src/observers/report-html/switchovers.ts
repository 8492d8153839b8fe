/** Each cutover, rollback and rehearsal: its waits, and its steps with a bar for when each ran in the pause. Pure. */

import type { StepTime } from '../../domain/event.ts';
import { formatCount, formatDuration } from '../quantity.ts';
import type { ReportData, ReportedSwitchover } from '../report.ts';
import { type Html, html, NOTHING } from './html.ts';
import { capital } from './overview.ts';
import { type Column, figures, moment, section, table, tableOf, tableRow, verdict } from './parts.ts';

export function switchovers({ switchovers: all }: ReportData): Html {
  if (all.length === 0) return NOTHING;
  return section('switchovers', 'Switches', html`${requests(all)}${all.map(switchover)}`);
}

const REQUEST_COLUMNS: readonly Column[] = [
  { title: 'Switch' },
  ...['Held', 'Failed', 'Longest wait', 'p99', 'p95', 'p50', 'Sessions moved'].map((title) => ({
    title,
    isNumber: true,
  })),
];

function requests(all: readonly ReportedSwitchover[]): Html {
  const rows = all.map(
    ({ direction, at, waits }) =>
      [
        html`${capital(direction)} <small>${moment(at)}</small>`,
        formatCount(waits.heldRequests),
        verdict(waits.failedRequests === 0, formatCount(waits.failedRequests)),
        formatDuration(waits.longestWaitMs),
        formatDuration(waits.p99Ms),
        formatDuration(waits.p95Ms),
        formatDuration(waits.p50Ms),
        formatCount(waits.sessionsMoved),
      ] as const,
  );
  return html`${table('Requests at each switch', REQUEST_COLUMNS, rows)}<p class="note">Counted by what holds the traffic, between pause and resume; p99: 99 of 100 waited no longer.</p>
`;
}

function switchover(one: ReportedSwitchover): Html {
  const { direction, from, to, at, pauseMs, waits, drainedLsn, sequences } = one;
  return html`<article>
<h3>${capital(direction)}: ${from} → ${to}, ${moment(at)}</h3>
${figures([
  { name: 'Requests held for', value: formatDuration(pauseMs) },
  { name: 'Longest wait', value: formatDuration(waits.longestWaitMs) },
  { name: 'Had arrived up to', value: drainedLsn },
  { name: 'Sequences set', value: formatCount(sequences) },
])}${steps(one)}</article>
`;
}

const STEP_COLUMNS: readonly Column[] = [
  { title: 'Step' },
  { title: 'Took', isNumber: true },
  { title: 'Over after', isNumber: true },
  { title: 'In the pause' },
];

function steps({ direction, steps: all, pauseMs }: ReportedSwitchover): Html {
  if (all.length === 0) return NOTHING;
  const wholeMs = Math.max(pauseMs, ...all.map(({ heldMs }) => heldMs ?? 0));
  const bodies = spans(all).map(
    ({ paused, steps: own }) =>
      html`<tbody>
<tr><th class="span" scope="rowgroup" colspan="4">${paused ? 'Requests wait' : 'Nobody waits'}</th></tr>
${own.map((step) => tableRow(STEP_COLUMNS, stepRow(step, wholeMs)))}</tbody>
`,
  );
  return tableOf(`Steps of the ${direction}`, STEP_COLUMNS, bodies);
}

const stepRow = (step: StepTime, wholeMs: number) =>
  [
    html`${step.title}${step.note === undefined ? NOTHING : html` <small>${step.note}</small>`}`,
    formatDuration(step.ms),
    step.heldMs === undefined ? '' : `+${(step.heldMs / 1000).toFixed(3)} s`,
    step.heldMs === undefined ? '' : bar(step.heldMs - step.ms, step.heldMs, wholeMs),
  ] as const;

/** Steps that follow each other and are alike in whether requests wait. */
function spans(all: readonly StepTime[]): { paused: boolean; steps: StepTime[] }[] {
  const found: { paused: boolean; steps: StepTime[] }[] = [];
  for (const step of all) {
    const last = found.at(-1);
    if (last?.paused === step.paused) last.steps.push(step);
    else found.push({ paused: step.paused, steps: [step] });
  }
  return found;
}

/** Below this a bar would be invisible. */
const LEAST_WIDTH = 0.8;

/** The numbers beside it say the same. */
function bar(fromMs: number, toMs: number, wholeMs: number): Html {
  const percent = (ms: number) => (wholeMs <= 0 ? 0 : Math.min(100, Math.max(0, (ms / wholeMs) * 100)));
  const start = Math.min(percent(fromMs), 100 - LEAST_WIDTH);
  const width = Math.max(LEAST_WIDTH, percent(toMs) - start);
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="8"/><rect x="${start.toFixed(2)}" width="${width.toFixed(2)}" height="8"/></svg>`;
}

export function aborted({ aborted: all }: ReportData): Html {
  if (all.length === 0) return NOTHING;
  const columns: readonly Column[] = [
    { title: 'When' },
    { title: 'What' },
    { title: 'At the step' },
    { title: 'Requests waited', isNumber: true },
    { title: 'Why' },
  ];
  const rows = all.map(
    ({ at, direction, step, pauseMs, message, code }) =>
      [
        moment(at),
        capital(direction),
        step,
        formatDuration(pauseMs),
        html`${message} <small>${code}</small>`,
      ] as const,
  );
  return section('aborted', 'Given up, traffic left where it was', table('Attempts', columns, rows));
}
