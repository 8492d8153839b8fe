/** What the ledger says beside its outcomes: when it began, and whether its writer ever stood still. */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { LedgerHeader } from '../load/ledger.ts';

/** @throws when the first line is not a ledger's */
export async function ledgerHeader(path: string): Promise<LedgerHeader> {
  const lines = createInterface({ input: createReadStream(path) });
  for await (const line of lines) {
    lines.close();
    return JSON.parse(line) as LedgerHeader;
  }
  throw new Error('The ledger is empty');
}

/** The generator seals its ledger once a second as long as it runs. */
export interface Sealed {
  /** Since the start. */
  readonly second: number;
  /** Requests sent so far. */
  readonly sent: number;
}

export async function sealsOf(path: string): Promise<Sealed[]> {
  const seals: Sealed[] = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (!line.startsWith('{"second"')) continue;
    const { second, sent } = JSON.parse(line) as Sealed;
    seals.push({ second, sent });
  }
  return seals;
}
