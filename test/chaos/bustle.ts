/** Clients beside the shop's, who write in ways that it does not, and know what was acknowledged. */

import { finished } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { sleep, until } from '../../src/base/async.ts';
import { SIDES, type Side } from '../../src/domain/names.ts';
import type { World } from '../e2e/world.ts';
import type { Dice } from './dice.ts';

/** For `prepare` (`second.prepare`) and `settings` of a world. Tables that are changed have rows of their own. */
export const PREPARE_BUSTLE = `
  CREATE TABLE public.bustle (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL);
  CREATE TABLE public.scratch (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
  CREATE TABLE public.slices (id bigint PRIMARY KEY, body text) PARTITION BY RANGE (id);
  CREATE SEQUENCE public.jumps;
  CREATE MATERIALIZED VIEW public.bustle_count AS SELECT count(*) FROM public.bustle;
  GRANT ALL ON ALL TABLES IN SCHEMA public TO shop; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO shop`;
export const SECOND = {
  name: 'billing',
  prepare: `
    CREATE TABLE public.countries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
    INSERT INTO public.countries (name) SELECT 'invoice ' || n FROM generate_series(1, 1000) AS n;
    ${PREPARE_BUSTLE}`,
};
export const BUSTLE_SETTINGS = { max_prepared_transactions: '10' };

export interface BustleAudit {
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
}

const PAUSE_MS = 20;
const LONGEST_MS = 1000;
const INSERT = 'INSERT INTO public.bustle (key) VALUES ($1)';

type Way = (client: pg.Client, key: string, dice: Dice) => Promise<unknown>;

const WAYS: Readonly<Record<string, Way>> = {
  plain: (client, key) => client.query(INSERT, [key]),
  async savepoints(client, key) {
    await client.query('BEGIN; SAVEPOINT a');
    await client.query(INSERT, [key]);
    await client.query('ROLLBACK TO a; SAVEPOINT b');
    await client.query(INSERT, [key]);
    await client.query('RELEASE b; COMMIT');
  },
  async copy(client, key) {
    const stream = client.query(copyFrom('COPY public.bustle (key) FROM STDIN'));
    stream.end(`${key}\n`);
    await finished(stream);
  },
  async twoPhase(client, key) {
    await client.query('BEGIN');
    await client.query(INSERT, [key]);
    await client.query(`PREPARE TRANSACTION '${key}'`);
    await client.query(`COMMIT PREPARED '${key}'`);
  },
  async long(client, key, dice) {
    await client.query('BEGIN');
    await client.query(INSERT, [key]);
    await sleep(dice.between(0, LONGEST_MS));
    await client.query('COMMIT');
  },
  async advisory(client, key) {
    await client.query('SELECT pg_advisory_lock(7)');
    await client.query(INSERT, [key]);
    await client.query('SELECT pg_advisory_unlock(7)');
  },
};

export class Bustle {
  readonly failures: string[] = [];
  readonly #world: World;
  readonly #database: string;
  readonly #dice: Dice;
  readonly #acknowledged: string[] = [];
  /** Acknowledged writes of each client. */
  readonly #counts: number[];
  readonly #clients: Promise<void>[];
  #isOver = false;

  constructor(world: World, database: string, dice: Dice, clients: number) {
    this.#world = world;
    this.#database = database;
    this.#dice = dice;
    this.#counts = Array.from({ length: clients }, () => 0);
    this.#clients = Array.from({ length: clients }, (_, client) => this.#write(client));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  /**
   * Each client has begun a write since, and got its answer: one whose connection broke between two statements fails at the next
   * only, and must not do so on the next deed's account.
   */
  async goesOn(): Promise<void> {
    const before = [...this.#counts];
    const isPast = () =>
      this.#counts.every((count, client) => count >= (before[client] ?? 0) + 2) || undefined;
    await until('every client’s next writes', async () => isPast(), { timeoutMs: 60_000 });
  }

  async audit(side: Side): Promise<BustleAudit> {
    const rows = await this.#world.query<{ key: string; times: string }>(
      side,
      'SELECT key, count(*) AS times FROM public.bustle GROUP BY key',
      this.#database,
    );
    const times = new Map(rows.map((row) => [row.key, Number(row.times)]));
    return {
      acknowledged: this.#acknowledged.length,
      lost: this.#acknowledged.filter((key) => !times.has(key)),
      doubled: [...times].filter(([, count]) => count > 1).map(([key]) => key),
    };
  }

  /** A new session after each failure. */
  async #write(name: number): Promise<void> {
    // Prepared transactions are the cluster's.
    const key = (n: number) => `${this.#database}-${name}-${n}`;
    for (let n = 0; !this.#isOver; n++) {
      try {
        const client = await this.#world.openClient(this.#database);
        try {
          for (; !this.#isOver; n++) {
            await this.#writeOne(client, key(n));
            this.#counts[name] = (this.#counts[name] ?? 0) + 1;
          }
        } finally {
          await client.end().catch(() => undefined);
        }
      } catch (error) {
        this.failures.push((error as Error).message);
        await sleep(200);
        await this.#forgetPrepared(key(n));
      }
    }
  }

  async #writeOne(client: pg.Client, key: string): Promise<void> {
    const [way, write] = this.#dice.pick(Object.entries(WAYS));
    try {
      await write(client, key, this.#dice);
    } catch (error) {
      throw new Error(`${way}: ${(error as Error).message}`);
    }
    this.#acknowledged.push(key);
    await sleep(PAUSE_MS);
  }

  /** One whose client was cut off keeps its locks for ever, and no switch goes past it: so does its owner. */
  async #forgetPrepared(key: string): Promise<void> {
    for (const side of SIDES)
      await this.#world.query(side, `ROLLBACK PREPARED '${key}'`, this.#database).catch(() => undefined);
  }
}
