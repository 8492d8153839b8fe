/**
 * From and to other versions than 15 and 16: there, back and there again under writes that go through the proxy, each of
 * which must be found once. `npm run test:matrix` plays every pair, otherwise two stand for all.
 */

import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect } from 'vitest';
import { test } from '../support/fixture.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';

const ALL: readonly (readonly [number, number])[] = [
  [13, 16],
  [14, 17],
  [15, 18],
  [16, 18],
];
const PAIRS =
  process.env.PGGLIDE_TEST_MATRIX === 'all' ? ALL : [ALL[0], ALL[3]].filter((pair) => pair !== undefined);

const SCHEMA = `
  CREATE TYPE public.mood AS ENUM ('sad', 'ok');
  CREATE TABLE public.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood public.mood NOT NULL,
    doc jsonb NOT NULL, price numeric NOT NULL, gross numeric GENERATED ALWAYS AS (price * 1.2) STORED);
  CREATE INDEX ON public.orders USING gin (doc);
  CREATE TABLE public.line (order_id bigint NOT NULL REFERENCES public.orders, n serial, PRIMARY KEY (order_id, n));
  CREATE TABLE public.log (at timestamptz NOT NULL DEFAULT clock_timestamp(), line text);
  ALTER TABLE public.log REPLICA IDENTITY FULL;
  CREATE TABLE public.event (id bigint, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE public.event_1 PARTITION OF public.event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE TABLE public.event_2 PARTITION OF public.event DEFAULT;
  INSERT INTO public.orders (mood, doc, price) SELECT 'ok', jsonb_build_object('n', g), g FROM generate_series(1, 500) g;
  INSERT INTO public.event SELECT g, date '2026-01-01' + g FROM generate_series(1, 60) g;
  CREATE ROLE app LOGIN PASSWORD 'app';
  GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO app;
  GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app`;

const WRITE = `
  WITH o AS (INSERT INTO public.orders (mood, doc, price) VALUES ('sad', $1::jsonb, 9.5) RETURNING id),
    e AS (INSERT INTO public.event SELECT id + 1000000, date '2026-01-15' FROM o),
    l AS (INSERT INTO public.log (line) SELECT 'order ' || id FROM o)
  SELECT id FROM o`;
const PAUSE_BETWEEN_WRITES_MS = 5;

/** Writes through the proxy until `stop`. Returns how many were acknowledged; a single refused one fails the test. */
async function writeUntil(scene: Scene, login: pg.ClientConfig, stop: AbortSignal): Promise<number> {
  const client = new pg.Client({ ...login, ...scene.proxy });
  // The proxy that ends says goodbye; a request of ours that it hurts is refused, too.
  client.on('error', () => undefined);
  await client.connect();
  try {
    let written = 0;
    for (; !stop.aborted; written += 1) {
      await client.query(WRITE, [JSON.stringify({ written })]);
      await client.query(`UPDATE public.orders SET mood = 'ok' WHERE id = 1`);
      await delay(PAUSE_BETWEEN_WRITES_MS);
    }
    return written;
  } finally {
    await client.end();
  }
}

for (const [from, to] of PAIRS)
  test(`${from} -> ${to}: there, back and there again under writes`, { timeout: 300_000 }, async ({
    ownServers,
  }) => {
    const [source, target] = await ownServers([from, to]);
    if (!source || !target) throw new Error('two servers');
    const seed = await openSession(source.address());
    await seed.query(SCHEMA);
    await seed.end();
    const login = { user: 'app', password: 'app', database: source.address().database };
    const ends = { source: { address: source.address() }, target: { address: target.address() } };
    await withScene(ends, async (scene) => {
      const stop = new AbortController();
      const writing = writeUntil(scene, login, stop.signal);
      writing.catch(() => undefined);
      try {
        await scene.sync();
        for (const direction of ['cutover', 'rollback', 'cutover'] as const) {
          const { verification } = await scene[direction]();
          expect(verification, direction).toMatchObject({ equal: true });
        }
      } finally {
        stop.abort();
      }
      const written = await writing;
      await scene.expectEqual();
      const after = await openSession(target.address());
      const { rows } =
        await after.query(`SELECT count(*)::int AS orders, count(DISTINCT doc->>'written')::int AS distinct,
        (SELECT count(*)::int FROM public.event) AS events, (SELECT count(*)::int FROM public.log) AS lines FROM public.orders`);
      await after.end();
      expect(rows).toEqual([
        { orders: 500 + written, distinct: written, events: 60 + written, lines: written },
      ]);
    });
  });
