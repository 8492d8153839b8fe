/** Replication made by hand, and load, for tests that need a link but no migration. */

import { randomUUID } from 'node:crypto';
import { Connection } from '../../src/postgres/connection.ts';
import { awaitMarkers, createMarkerSql, writeMarkers } from '../../src/postgres/marker.ts';
import { trusted } from '../../src/postgres/sql.ts';
import type { Database } from './database.ts';

export const MARKER = { schema: 'public', name: 'marker' };

/** Working replication from source to target, made by hand; gone at the end. */
export class Link implements AsyncDisposable {
  readonly #source: Database;
  readonly #target: Database;

  private constructor(source: Database, target: Database) {
    this.#source = source;
    this.#target = target;
  }

  /** Tables exist on both sides and hold the same rows. */
  static async start(source: Database, target: Database): Promise<Link> {
    await Promise.all([source, target].map((side) => side.connection.script(createMarkerSql(MARKER))));
    const { host, port, user, password } = source.address;
    const name = source.name;
    await source.exec('CREATE PUBLICATION p FOR ALL TABLES');
    await source.exec(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`);
    await target.exec(`CREATE SUBSCRIPTION ${name}
      CONNECTION 'host=${host} port=${port} user=${user} password=${password} dbname=${source.name}'
      PUBLICATION p WITH (copy_data = false, create_slot = false, slot_name = '${name}')`);
    return new Link(source, target);
  }

  readonly waitForArrival = async (): Promise<void> => {
    const token = randomUUID();
    await writeMarkers(this.#source.connection, [MARKER], token);
    const waiting = { timeoutMs: 20_000, intervalMs: 1 };
    if (!(await awaitMarkers(this.#target.connection, [MARKER], token, waiting))) throw new Error('too late');
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#target.exec(`DROP SUBSCRIPTION ${this.#source.name}`);
  }
}

/** Writes without a pause until disposed. */
export class Writer implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #done: Promise<void>;
  #isStopped = false;
  writes = 0;

  private constructor(connection: Connection, statement: (n: number) => string) {
    this.#connection = connection;
    this.#done = this.#write(statement);
  }

  static async start(database: Database, statement: (n: number) => string): Promise<Writer> {
    return new Writer(await Connection.open(database.address, { purpose: 'writer' }), statement);
  }

  async #write(statement: (n: number) => string): Promise<void> {
    while (!this.#isStopped) {
      await this.#connection.script(trusted(statement(this.writes)));
      this.writes += 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    await this.#connection.close();
  }
}

/** What a faulty tool or a hand would do to the subscriber: no trigger, no replication sees it. */
export const tamper = (target: Database, text: string): Promise<void> =>
  target.exec(
    `BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL pgglide.passes_fence = on; ${text}; COMMIT`,
  );
