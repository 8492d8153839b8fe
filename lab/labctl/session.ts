/** One session on a server, for as long as one piece of work. */

import type pg from 'pg';
import type { ServerAddress } from '../../src/index.ts';
import { connect } from '../app/connect.ts';

/** `application_name` of every session of the lab's own: the checks leave them out. */
export const LAB_APPLICATION = 'lab grader';

/** A statement's own limit fires before the check's. */
const STATEMENT_TIMEOUT_MS = 18_000;

/** @throws node-postgres's error when the server cannot be reached */
export async function withSession<T>(
  address: ServerAddress,
  work: (session: pg.Client) => Promise<T>,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
): Promise<T> {
  const session = await connect(address, LAB_APPLICATION, { connectionTimeoutMillis: 5_000 });
  try {
    // Text forms and names must not depend on what the database's own settings say.
    await session.query(
      `SET statement_timeout = ${statementTimeoutMs}; SET lock_timeout = '5s'; SET search_path = pg_catalog;
       SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
       SET bytea_output = 'hex'`,
    );
    return await work(session);
  } finally {
    await session.end().catch(() => undefined);
  }
}

export async function rowsOf<Row extends object>(
  session: pg.Client,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  return (await session.query<Row>(text, [...values])).rows;
}

/** Of the shop's own tables, each counted. */
export async function countRows(session: pg.Client): Promise<number> {
  const tables = await rowsOf<{ name: string }>(
    session,
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'billing') AND c.relkind = 'r'`,
  );
  const counts = tables.map(({ name }) => `(SELECT count(*) FROM ${name})`);
  const [row] = await rowsOf<{ rows: string }>(
    session,
    `SELECT (${[...counts, '0'].join(' + ')})::text AS rows`,
  );
  return Number(row?.rows ?? 0);
}
