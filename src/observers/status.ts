/** What `status` shows. Pure. */

import type { CopyProgress } from '../domain/event.ts';
import type { Verified } from '../domain/last-verification.ts';
import { otherSide, type Side } from '../domain/names.ts';
import type { Phase } from '../domain/phase.ts';
import { fractionDone } from '../domain/progress.ts';
import type { SchemaChange } from '../domain/schema-change.ts';
import type { TrafficRequests } from '../domain/traffic-requests.ts';
import { printable } from './printable.ts';
import { formatBytes, formatBytesOf, formatCount, formatDuration, formatPercent } from './quantity.ts';
import { type Painter, painter, type Style } from './style.ts';

export interface ServerStatus {
  /** "host:port/database" */
  readonly address: string;
  /** "15.18"; undefined when it could not be reached. */
  readonly version: string | undefined;
}

export interface ReadinessItem {
  readonly name: string;
  readonly ok: boolean;
  /** "18 kB", "12 min ago": what was found. */
  readonly detail?: string;
}

export interface LaneStatus {
  /** Its publication, slot and subscription. */
  readonly name: string;
  readonly tables: number;
  readonly isStreaming: boolean;
  readonly lagBytes: number | undefined;
  /** Undefined where the server does not tell: nothing is sent, or our role may not see pg_stat_replication. */
  readonly lagMs: number | undefined;
  readonly retainedWalBytes: number | undefined;
}

export interface SchemaChangeOf extends SchemaChange {
  /** Which, where several databases move together. */
  readonly database?: string;
}

export interface MigrationStatus {
  readonly migration: string;
  readonly phase: Phase;
  /** ISO 8601: when the phase began. */
  readonly since: string | undefined;
  /** ISO 8601: when this was looked at. */
  readonly at: string;
  readonly activeSide: Side;
  /** There is none of this name, and `activeSide` means nothing: the servers hold these, "shop (switched)". */
  readonly others?: readonly string[];
  readonly epoch: number;
  readonly source: ServerStatus;
  readonly target: ServerStatus;
  /** The link that carries changes away from the active side; each figure is the worst lane's. */
  readonly link:
    | {
        readonly from: Side;
        readonly lanes: readonly LaneStatus[];
        readonly isStreaming: boolean;
        readonly lagBytes: number | undefined;
        readonly lagMs: number | undefined;
        readonly retainedWalBytes: number | undefined;
        readonly walLimitBytes: number | undefined;
      }
    | undefined;
  /** One line about the traffic switch: "proxy unix:... 12 sessions". */
  readonly traffic: string | undefined;
  /** Where the traffic switch counts requests. */
  readonly requests?: TrafficRequests | undefined;
  readonly copy: CopyProgress | undefined;
  readonly verified: (Verified & { readonly tables: number }) | undefined;
  /** What the next switchover asks for; empty when none is near. */
  readonly ready: readonly ReadinessItem[];
  readonly problems: readonly string[];
  /** DDL since both schemas were found to agree, each of them in `problems`, too; undefined: not looked at, or not known yet. */
  readonly schemaChanges?: readonly SchemaChangeOf[] | undefined;
  /** The command to run now: "pgglide cutover --dry-run". */
  readonly next: string | undefined;
}

export function statusText(status: MigrationStatus, style: Style): string {
  const paint = painter(style);
  const lines = [
    headLine(status, paint),
    ...(status.others === undefined ? [routeLine(status, paint)] : []),
    ...laneLines(status, paint),
    ...(status.copy === undefined ? [] : [copyLine(status.copy)]),
    ...(status.traffic === undefined ? [] : [`traffic   ${printable(status.traffic)}`]),
    ...(status.ready.length === 0 ? [] : [`Ready: ${readiness(status.ready, paint)}`]),
    ...status.problems.map((problem) => `${paint.failed} ${printable(problem)}`),
    ...(status.next === undefined ? [] : [`Next: ${paint.bold(status.next)}`]),
  ];
  return lines.join('\n');
}

function headLine(status: MigrationStatus, paint: Painter): string {
  const { verified } = status;
  const since = status.since === undefined ? '' : ` since ${status.since.slice(0, 16).replace('T', ' ')} UTC`;
  const seen =
    verified === undefined
      ? 'not verified'
      : `${verified.equal ? 'verified' : 'differences found'} ${ago(verified.at, status.at)}${verified.isOfAnotherRun ? `, before the ${otherSide(status.activeSide)} was started again` : ''} (${verified.tables} tables${verified.equal ? ' equal' : ''})`;
  const shown = ['new', 'syncing', 'completed', 'aborted'].includes(status.phase) ? '' : `     ${seen}`;
  return `${paint.bold(printable(status.migration))}     ${status.others === undefined ? status.phase.toUpperCase() : 'NOT HERE'}${since}${shown}`;
}

const ago = (at: string, now: string): string => `${formatDuration(Date.parse(now) - Date.parse(at))} ago`;

function routeLine(status: MigrationStatus, paint: Painter): string {
  const { activeSide, link } = status;
  const other = activeSide === 'source' ? status.target : status.source;
  const start = `traffic ${paint.arrow} ${activeSide.toUpperCase()}  ${server(status[activeSide])}`;
  if (link === undefined) return `${start}     ${server(other)}`;
  const state = link.isStreaming ? 'logical' : 'NOT STREAMING';
  const limit = link.walLimitBytes === undefined ? '' : ` of ${formatBytes(link.walLimitBytes)}`;
  const kept =
    link.retainedWalBytes === undefined ? '' : `     WAL held ${formatBytes(link.retainedWalBytes)}${limit}`;
  return `${start}  --${state}--> ${server(other)}     ${lagText(link)}${kept}`.trimEnd();
}

const lagText = ({ lagBytes, lagMs }: Pick<LaneStatus, 'lagBytes' | 'lagMs'>): string =>
  [
    lagBytes === undefined ? '' : `lag ${formatBytes(lagBytes)}`,
    lagMs === undefined ? '' : formatDuration(lagMs),
  ]
    .filter((part) => part !== '')
    .join(', ');

/** Where there is one only, its figures are the link's. */
function laneLines({ link }: MigrationStatus, paint: Painter): string[] {
  if (link === undefined || link.lanes.length < 2) return [];
  return link.lanes.map((lane) => {
    const { name, tables, isStreaming, retainedWalBytes: kept } = lane;
    const held = kept === undefined ? '' : `     WAL held ${formatBytes(kept)}`;
    return `lane ${printable(name)} ${isStreaming ? paint.ok : paint.failed}  ${tables} tables     ${lagText(lane)}${held}`;
  });
}

const server = ({ address, version }: ServerStatus): string =>
  `${printable(address)} (${version ?? 'not reachable'})`;

const copyLine = (copy: CopyProgress): string =>
  `copied ${formatPercent(fractionDone(copy.bytes, copy.totalBytes))}   ${formatBytesOf(copy.bytes, copy.totalBytes)}   ${copy.tablesDone} of ${copy.tables} tables   ${formatCount(copy.rows)} rows`;

const readiness = (items: readonly ReadinessItem[], paint: Painter): string =>
  items
    .map(({ name, ok, detail }) => {
      const found = detail === undefined ? '' : ` ${printable(detail)}`;
      return `${name}${found} ${ok ? paint.ok : paint.failed}`;
    })
    .join('   ');
