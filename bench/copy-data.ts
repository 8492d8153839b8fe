/** The database that the copy benchmark moves: a large pgbench-like table, others beside it, many small ones. */

import type { ServerAddress } from '../src/config/server-address.ts';
import { Connection } from '../src/postgres/connection.ts';
import { sql, trusted } from '../src/postgres/sql.ts';

export const TABLES = `
  CREATE TABLE public.account (aid int NOT NULL, bid int, balance int, filler char(84));
  CREATE TABLE public.orders (id bigint NOT NULL, customer int, created timestamptz, total numeric(12,2), status text, note text);
  CREATE TABLE public.event (id bigint NOT NULL, aid int, delta int, at timestamp, body jsonb);`;

/** A primary key each, and two secondary indexes. */
export const INDEXES: Readonly<Record<string, readonly string[]>> = {
  account: [
    'ALTER TABLE public.account ADD PRIMARY KEY (aid)',
    'CREATE INDEX account_bid ON public.account (bid)',
  ],
  orders: [
    'ALTER TABLE public.orders ADD PRIMARY KEY (id)',
    'CREATE INDEX orders_customer ON public.orders (customer)',
  ],
  event: ['ALTER TABLE public.event ADD PRIMARY KEY (id)'],
};

const MB = 1024 * 1024;
/** On disk, without indexes. */
const ROW_BYTES = { account: 134, orders: 101, event: 112 };

/** Fills `address` with about `megabytes` of rows, 60 % of them in one table. */
export async function fillSource(address: ServerAddress, megabytes: number): Promise<void> {
  await using connection = await Connection.open(address, { purpose: 'bench' });
  const rows = (share: number, rowBytes: number) => Math.round((megabytes * MB * share) / rowBytes);
  await connection.script(trusted(TABLES));
  await connection.query(sql`
    INSERT INTO public.account SELECT i, hashint4(i) % 1000, i % 777, ''
    FROM generate_series(1, ${rows(0.6, ROW_BYTES.account)}::int) i`);
  await connection.query(sql`
    INSERT INTO public.orders
    SELECT i, abs(hashint4(i)) % 50000, timestamptz '2024-01-01' + i * interval '1 s', (i % 100000) / 100.0, 'shipped', md5(i::text)
    FROM generate_series(1, ${rows(0.25, ROW_BYTES.orders)}::int) i`);
  await connection.query(sql`
    INSERT INTO public.event
    SELECT i, i % 9999, i % 100, timestamp '2024-01-01' + i * interval '1 s', jsonb_build_object('kind', 'click', 'n', i)
    FROM generate_series(1, ${rows(0.15, ROW_BYTES.event)}::int) i`);
  for (const ddl of Object.values(INDEXES).flat()) await connection.script(trusted(ddl));
  await connection.script(sql`VACUUM ANALYZE`);
}

export interface Contents {
  readonly rows: number;
  readonly indexes: number;
}

/** What a contender must have brought over. */
export async function contents(address: ServerAddress): Promise<Contents> {
  await using connection = await Connection.open(address, { purpose: 'bench' });
  return await connection.one<Contents>(sql`
    SELECT (SELECT count(*) FROM public.account) + (SELECT count(*) FROM public.orders)
        + (SELECT count(*) FROM public.event) AS rows,
      (SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
       WHERE c.relnamespace = 'public'::regnamespace AND i.indisvalid) AS indexes`);
}
