/** Holds a run's ledger against the databases: what was acknowledged must be there, once. */

import type { ServerAddress } from '../../src/index.ts';
import { type Ledger, type Outcome, readLedger, succeeded } from './ledger.ts';
import { EXPECTED, readTraces, type Trace, type Traces } from './traces.ts';
import { requestId } from './workload.ts';

export interface AuditOptions {
  readonly ledgerPath: string;
  /** The load's. */
  readonly seed: string;
  readonly addresses: {
    /** Where the application writes now. */
    readonly active: ServerAddress;
    /** The side that the reverse link feeds, if it runs. */
    readonly other?: ServerAddress;
  };
  /** How long the other side may take to catch up; 10 s when omitted. */
  readonly settleMs?: number;
}

export interface SideAudit {
  /** Acknowledged, but not there or not whole. */
  readonly lost: number;
  /** There more than once, whatever the application was told. */
  readonly doubled: number;
  /** Not acknowledged, and half there: a transaction that was torn. */
  readonly torn: number;
  /** In the run's name, but never sent by it. */
  readonly extra: number;
  /** The first hundred of each. */
  readonly lostIds: readonly string[];
  readonly doubledIds: readonly string[];
  readonly tornIds: readonly string[];
  readonly extraIds: readonly string[];
  /** Updates that do not add up; in words, the first hundred. */
  readonly inconsistencies: readonly string[];
}

export interface AuditReport extends SideAudit {
  /** Nothing lost, doubled, torn, extra or inconsistent on either side, and the ledger unbroken. */
  readonly ok: boolean;
  /** Writes answered with success. */
  readonly acknowledged: number;
  /** Writes answered with failure or not at all: they may have happened, but not twice. */
  readonly unknown: number;
  /** Undefined: the ledger is as it was written. */
  readonly ledgerBroken: string | undefined;
  readonly other: SideAudit | undefined;
}

export async function auditLedger(options: AuditOptions): Promise<AuditReport> {
  const { ledgerPath, seed, addresses } = options;
  const ledger = await readLedger(ledgerPath, seed);
  const side = async (address: ServerAddress) =>
    auditSide(ledger, seed, await readTraces(address, ledger.header.run));
  const active = await side(addresses.active);
  const other =
    addresses.other === undefined
      ? undefined
      : await settled(addresses.other, side, options.settleMs ?? 10_000);
  const writes = ledger.outcomes.filter((outcome) => outcome.requestId !== undefined);
  const acknowledged = writes.filter(succeeded).length;
  return {
    ok: isClean(active) && (other === undefined || isClean(other)) && ledger.broken === undefined,
    acknowledged,
    unknown: writes.length - acknowledged,
    ledgerBroken: ledger.broken,
    ...active,
    other,
  };
}

/** Replication needs a moment; only what does not go away is a finding. */
async function settled(
  address: ServerAddress,
  audit: (address: ServerAddress) => Promise<SideAudit>,
  settleMs: number,
): Promise<SideAudit> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    const found = await audit(address);
    if (isClean(found) || performance.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const isClean = ({ lost, doubled, torn, extra, inconsistencies }: SideAudit): boolean =>
  lost + doubled + torn + extra + inconsistencies.length === 0;

const SHOWN = 100;

/** One side's findings, from what was read before. */
export function auditSide(ledger: Ledger, seed: string, traces: Traces): SideAudit {
  const lostIds: string[] = [];
  const doubledIds: string[] = [];
  const tornIds: string[] = [];
  const written = new Set<string>();
  for (const outcome of ledger.outcomes) {
    const { requestId: id } = outcome;
    if (id === undefined) continue;
    written.add(id);
    const verdict = judge(outcome, traces.byRequest.get(id));
    if (verdict === 'lost') lostIds.push(id);
    if (verdict === 'doubled') doubledIds.push(id);
    if (verdict === 'torn') tornIds.push(id);
  }
  const extraIds = [...traces.byRequest.keys()].filter(
    (id) => !written.has(id) && !wasPerhapsSent(id, ledger, seed),
  );
  return {
    lost: lostIds.length,
    doubled: doubledIds.length,
    torn: tornIds.length,
    extra: extraIds.length,
    lostIds: lostIds.slice(0, SHOWN),
    doubledIds: doubledIds.slice(0, SHOWN),
    tornIds: tornIds.slice(0, SHOWN),
    extraIds: extraIds.slice(0, SHOWN),
    inconsistencies: traces.inconsistencies,
  };
}

function judge(outcome: Outcome, trace: Trace | undefined): 'fine' | 'lost' | 'doubled' | 'torn' {
  const expected = EXPECTED[outcome.kind];
  if (expected === undefined) return 'fine';
  if (trace === undefined) return succeeded(outcome) ? 'lost' : 'fine';
  const parts = Object.keys(expected) as (keyof typeof expected)[];
  if (parts.some((part) => trace[part] > expected[part])) return 'doubled';
  if (parts.every((part) => trace[part] === expected[part])) return 'fine';
  return succeeded(outcome) ? 'lost' : 'torn';
}

/** A load that was killed, or still runs, sent requests whose outcome its ledger does not hold. Their ids prove themselves. */
function wasPerhapsSent(id: string, ledger: Ledger, seed: string): boolean {
  if (ledger.closed) return false;
  const n = Number(id.split('.')[1]);
  return Number.isSafeInteger(n) && id === requestId(seed, ledger.header.run, n);
}
