/**
 * Under load two snapshots of the two sides never show the same instant: rows on their way look different. Here they
 * are read again until each is proven equal, or proven different.
 */

import { sleep } from '../base/async.ts';
import type { Connection } from '../postgres/connection.ts';
import type { ComparedTable } from './compared-table.ts';
import { type ReadRow, readRowsByKey } from './read-rows.ts';
import type { HashMethod } from './row-hash.ts';

export interface LinkReading {
  readonly publisher: Connection;
  readonly subscriber: Connection;
  readonly method: HashMethod;
  /** Resolves when everything committed on the publisher before the call shows on the subscriber. */
  readonly waitForArrival: () => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** Keys of rows. */
export interface ConfirmedRows {
  readonly differing: readonly (readonly string[])[];
  /** Changed in every round. */
  readonly unsettled: readonly (readonly string[])[];
}

/** A row that went from A to B and back to A within a round can look different while it is not: twice is proof. */
const ROUNDS_TO_BELIEVE = 2;
const MAX_ROUNDS = 30;
/** So few that reading them over and over, to see every version of a busy row, costs nothing. */
const WATCHED_KEYS = 100;
const WATCH_INTERVAL_MS = 2;

interface Candidate {
  readonly key: readonly string[];
  disagreements: number;
}

/** Reads the rows with these keys on both sides until it is clear which differ. */
export async function confirmRows(
  link: LinkReading,
  table: ComparedTable,
  keys: readonly (readonly string[])[],
): Promise<ConfirmedRows> {
  const differing: (readonly string[])[] = [];
  let open: Candidate[] = keys.map((key) => ({ key, disagreements: 0 }));
  for (let round = 0; round < MAX_ROUNDS && open.length > 0; round += 1) {
    link.signal?.throwIfAborted();
    const reading = await readRound(link, table, open);
    open = open.filter((candidate, index) => {
      const verdict = judge(reading[index], candidate);
      if (verdict === 'differs') differing.push(candidate.key);
      return verdict === 'open';
    });
  }
  return { differing, unsettled: open.map(({ key }) => key) };
}

interface Reading {
  /** Every version that the publisher showed from before the marker until after the subscriber was read. */
  readonly versions: ReadonlySet<string>;
  readonly subscriber: string;
}

const versionOf = (row: ReadRow | undefined): string => row?.hash ?? 'absent';

/** What the subscriber shows must be one of the versions that the publisher had since the marker was written. */
function judge(reading: Reading | undefined, candidate: Candidate): 'equal' | 'differs' | 'open' {
  if (reading === undefined || reading.versions.has(reading.subscriber)) return 'equal';
  if (reading.versions.size > 1) return 'open';
  candidate.disagreements += 1;
  return candidate.disagreements < ROUNDS_TO_BELIEVE ? 'open' : 'differs';
}

async function readRound(
  link: LinkReading,
  table: ComparedTable,
  candidates: readonly Candidate[],
): Promise<Reading[]> {
  const keys = candidates.map(({ key }) => key);
  const versions = keys.map(() => new Set<string>());
  const read = async (connection: Connection) => {
    const rows = await readRowsByKey(connection, table, link.method, { keys, values: 'none' });
    return rows.map(versionOf);
  };
  const readPublisher = async () => {
    for (const [index, version] of (await read(link.publisher)).entries()) versions[index]?.add(version);
  };
  await readPublisher();
  const subscriber = await watching(
    link,
    keys.length <= WATCHED_KEYS ? readPublisher : undefined,
    async () => {
      await link.waitForArrival();
      return read(link.subscriber);
    },
  );
  await readPublisher();
  return versions.map((seen, index) => ({ versions: seen, subscriber: subscriber[index] ?? 'absent' }));
}

/** Does the work, and meanwhile watches the publisher's rows. */
async function watching<T>(
  link: LinkReading,
  watch: (() => Promise<unknown>) | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let isOver = false;
  const working = work().finally(() => {
    isOver = true;
  });
  const watched = async () => {
    while (watch !== undefined && !isOver) {
      await watch();
      await sleep(WATCH_INTERVAL_MS, link.signal);
    }
  };
  const [result] = await Promise.all([working, watched()]);
  return result;
}
