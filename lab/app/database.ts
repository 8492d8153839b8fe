/** The shop's connections. Statements are named, so that each is planned once a session. */

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

export class ShopDatabase implements Session {
  #pool: pg.Pool;
  readonly #poolSize: number;

  private constructor(settings: DatabaseSettings, poolSize: number) {
    this.#poolSize = poolSize;
    this.#pool = openPool(settings, poolSize);
  }

  /** With every connection open: the first requests must not pay for logins. */
  static async open(settings: DatabaseSettings, poolSize: number): Promise<ShopDatabase> {
    const database = new ShopDatabase(settings, poolSize);
    await warm(database.#pool, poolSize);
    return database;
  }

  /** Moves to other settings: new requests at once, running ones end where they are. */
  async reconfigure(settings: DatabaseSettings): Promise<void> {
    const next = openPool(settings, this.#poolSize);
    await warm(next, this.#poolSize);
    const previous = this.#pool;
    this.#pool = next;
    await previous.end();
  }

  async run<Row extends object>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return rowsOf<Row>(this.#pool, statement, values);
  }

  /** BEGIN, work, COMMIT. Rolled back, and never repeated, when anything fails. */
  async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let failure: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work({ run: (statement, values) => rowsOf(client, statement, values) });
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
    await this.#pool.end();
  }
}

function openPool(settings: DatabaseSettings, poolSize: number): pg.Pool {
  const pool = new pg.Pool({
    ...settings,
    max: poolSize,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: 30_000,
    application_name: 'shop',
    keepAlive: true,
  });
  // A session may end while nobody waits for its answer: in the pool, or between two statements of a transaction.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return pool;
}

async function warm(pool: pg.Pool, poolSize: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: poolSize }, () => pool.connect()));
  for (const client of clients) client.release();
}

async function rowsOf<Row extends object>(
  queryable: pg.Pool | pg.PoolClient,
  { name, text }: Statement,
  values: readonly unknown[],
): Promise<Row[]> {
  return (await queryable.query<Row>({ name, text, values: [...values] })).rows;
}
