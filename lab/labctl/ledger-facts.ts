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

/** The seconds, since the start, that the generator sealed: it does so once a second as long as it runs. */
export async function sealedSeconds(path: string): Promise<number[]> {
  const seconds: number[] = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const found = /^\{"second":(\d+)/.exec(line)?.[1];
    if (found !== undefined) seconds.push(Number(found));
  }
  return seconds;
}
