/** What `status` shows. Pure. */

import type { Side } from '../domain/names.ts';
import type { Phase } from '../domain/phase.ts';
import { formatBytes, formatCount, formatDuration } from './quantity.ts';
import { type Painter, painter, printable, type Style } from './style.ts';

export interface ServerStatus {
  /** "15.18" */
  readonly version: string;
  /** "host:port/database" */
  readonly where: string;
}

/** The part of a migration's status that is shown. */
export interface ShownStatus {
  readonly migration: string;
  readonly phase: Phase;
  readonly activeSide: Side;
  readonly source: ServerStatus;
  readonly target: ServerStatus;
  readonly link:
    | {
        readonly lanes: readonly {
          readonly subscription: string;
          readonly isEnabled: boolean;
          readonly isRunning: boolean;
          readonly applyErrors: number | undefined;
          readonly lagBytes: number;
          readonly retainedWalBytes: number;
        }[];
      }
    | undefined;
  readonly copy:
    | { readonly tables: number; readonly tablesDone: number; readonly rows: number; readonly bytes: number }
    | undefined;
  readonly verified: { readonly at: string; readonly equal: boolean; readonly tables: number } | undefined;
  readonly traffic: { readonly description: string; readonly problem?: string };
  readonly isSwitchoverOpen: boolean;
  readonly next: string;
}

export function statusText(status: ShownStatus, nowMs: number, style: Style): string {
  const paint = painter(style);
  const lines = [
    headLine(status, nowMs, paint),
    routeLine(status, paint),
    linkLine(status, paint),
    copyLine(status),
    trafficLine(status, paint),
    status.isSwitchoverOpen
      ? `${paint.warning} A switchover was interrupted; the next command finishes it.`
      : '',
    `Next: ${paint.bold(status.next)}`,
  ];
  return lines.filter((line) => line !== '').join('\n');
}

function headLine({ migration, phase, verified }: ShownStatus, nowMs: number, paint: Painter): string {
  const head = `${paint.bold(printable(migration))}     ${phase.toUpperCase()}`;
  if (phase !== 'following' && phase !== 'switched') return head;
  if (verified === undefined) return `${head}     not verified yet`;
  const ago = `${formatDuration(Math.max(0, nowMs - Date.parse(verified.at)))} ago`;
  return `${head}     ${verified.equal ? `verified ${ago} (${verified.tables} tables equal)` : `${paint.failed} differences found ${ago}`}`;
}

function routeLine(status: ShownStatus, paint: Painter): string {
  const { activeSide, source, target, link } = status;
  const [active, other] = activeSide === 'source' ? [source, target] : [target, source];
  const follows = link !== undefined && link.lanes.length > 0 ? '--logical-->' : '   ';
  return `traffic ${paint.arrow} ${activeSide.toUpperCase()}  ${server(active)}  ${follows}  ${server(other)}`;
}

const server = ({ where, version }: ServerStatus): string => `${printable(where)} (${version})`;

function linkLine({ link }: ShownStatus, paint: Painter): string {
  if (link === undefined || link.lanes.length === 0) return '';
  const lag = Math.max(...link.lanes.map((lane) => lane.lagBytes));
  const kept = Math.max(...link.lanes.map((lane) => lane.retainedWalBytes));
  const stopped = link.lanes.filter((lane) => !lane.isEnabled || !lane.isRunning);
  const errors = link.lanes.reduce((sum, lane) => sum + (lane.applyErrors ?? 0), 0);
  return [
    `lag ${formatBytes(lag)}`,
    `WAL held ${formatBytes(kept)}`,
    stopped.length === 0
      ? `${paint.ok} streaming`
      : `${paint.failed} not streaming: ${stopped.map((lane) => lane.subscription).join(', ')}`,
    ...(errors > 0 ? [`${paint.failed} apply errors ${errors}`] : []),
  ].join('     ');
}

function copyLine({ copy, phase }: ShownStatus): string {
  if (copy === undefined || phase === 'completed') return '';
  return `copied ${copy.tablesDone} of ${copy.tables} tables     ${formatCount(copy.rows)} rows     ${formatBytes(copy.bytes)}`;
}

function trafficLine({ traffic, phase }: ShownStatus, paint: Painter): string {
  if (phase === 'completed' || phase === 'aborted') return '';
  const problem = traffic.problem === undefined ? '' : `     ${paint.failed} ${printable(traffic.problem)}`;
  return `through ${printable(traffic.description)}${problem}`;
}
