/** What a database holds, as lines of text by class, so that two can be compared. */

import type pg from 'pg';
import type { ServerAddress } from '../../../src/index.ts';
import { rowsOf, withSession } from '../session.ts';

export interface FactClass {
  /** As in a sentence. */
  readonly name: string;
  /** Its rows have one column, `item`. */
  readonly query: string;
}

export interface Missing {
  readonly name: string;
  readonly items: readonly string[];
}

/** What `reference` has and `address` has not; more than is wanted is no fault. Classes without a difference are left out. */
export async function missingFacts(
  classes: readonly FactClass[],
  reference: ServerAddress,
  address: ServerAddress,
): Promise<Missing[]> {
  const read = (where: ServerAddress) => withSession(where, (session) => readAll(session, classes));
  const [wanted, found] = await Promise.all([read(reference), read(address)]);
  return classes.flatMap(({ name }, index) => {
    const has = new Set(found[index]);
    const items = (wanted[index] ?? []).filter((item) => !has.has(item));
    return items.length === 0 ? [] : [{ name, items }];
  });
}

async function readAll(session: pg.Client, classes: readonly FactClass[]): Promise<string[][]> {
  const all: string[][] = [];
  for (const { query } of classes) {
    const rows = await rowsOf<{ item: string }>(session, query);
    all.push(rows.map(({ item }) => item));
  }
  return all;
}

/** A class or two, and an example. */
export function describeMissing(missing: readonly Missing[]): string {
  return missing.map(({ name, items }) => `${items.length} ${name} (${shorten(items[0] ?? '')})`).join(', ');
}

const shorten = (text: string): string => {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
};
