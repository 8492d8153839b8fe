/** The shop's connections. Statements are named, so that each is planned once a session. */

import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { DatabaseSettings } from './settings.ts';

export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface Session {
  /** The rows of a statement. */
  run<Row extends object>(statement: Statement, values: readonly unknown[]): Promise<Row[]>;
}

/** A pool, and whether its statements may be named. */
interface Connections {
  readonly pool: pg.Pool;
  readonly isNaming: boolean;
}

export class ShopDatabase implements Session {
  #current: Connections;
  readonly #poolSize: number;

  private constructor(settings: DatabaseSettings, poolSize: number) {
    this.#poolSize = poolSize;
    this.#current = openConnections(settings, poolSize);
  }

  /** With every connection open: the first requests must not pay for logins. */
  static async open(settings: DatabaseSettings, poolSize: number): Promise<ShopDatabase> {
    const database = new ShopDatabase(settings, poolSize);
    await warm(database.#current.pool, poolSize);
    return database;
  }

  /** Moves to other settings: new requests at once, running ones end where they are. */
  async reconfigure(settings: DatabaseSettings): Promise<void> {
    const next = openConnections(settings, this.#poolSize);
    await warm(next.pool, this.#poolSize);
    const previous = this.#current;
    this.#current = next;
    // A pool that is told to end serves nobody who still waits for one of its sessions.
    while (previous.pool.waitingCount > 0) await delay(5);
    await previous.pool.end();
  }

  async run<Row extends object>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    const { pool, isNaming } = this.#current;
    return rowsOf<Row>(pool, isNaming, statement, values);
  }

  /** BEGIN, work, COMMIT. Rolled back, and never repeated, when anything fails. */
  async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const { pool, isNaming } = this.#current;
    const client = await pool.connect();
    let failure: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work({ run: (statement, values) => rowsOf(client, isNaming, statement, values) });
      await client.query('COMMIT');
      return result;
    } catch (error) {
      const rolledBack = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      if (!rolledBack) failure = error as Error;
      throw error;
    } finally {
      client.release(failure); // a broken session does not go back to the pool
    }
  }

  async close(): Promise<void> {
    await this.#current.pool.end();
  }
}

function openConnections(settings: DatabaseSettings, poolSize: number): Connections {
  const { preparedStatements: isNaming = true, ...where } = settings;
  const pool = new pg.Pool({
    ...where,
    max: poolSize,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: 30_000,
    application_name: 'shop',
    keepAlive: true,
  });
  // A session may end while nobody waits for its answer: in the pool, or between two statements of a transaction.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return { pool, isNaming };
}

async function warm(pool: pg.Pool, poolSize: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: poolSize }, () => pool.connect()));
  for (const client of clients) client.release();
}

async function rowsOf<Row extends object>(
  queryable: pg.Pool | pg.PoolClient,
  isNaming: boolean,
  { name, text }: Statement,
  values: readonly unknown[],
): Promise<Row[]> {
  const query = { text, values: [...values] };
  return (await queryable.query<Row>(isNaming ? { name, ...query } : query)).rows;
}
