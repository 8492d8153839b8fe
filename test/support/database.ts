/** A database of one test's own: made, used, searched for left-overs, removed with all that hangs on it. */

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { until } from '../../src/base/async.ts';
import type { ServerAddress } from '../../src/config/server-address.ts';
import { Connection } from '../../src/postgres/connection.ts';
import { ident, literal, sql } from '../../src/postgres/sql.ts';
import type { TestServer } from './global-servers.ts';

export interface Database {
  /** As a superuser. */
  readonly address: ServerAddress;
  /** Unique in the cluster. Start the names of roles, slots and the like with it. */
  readonly name: string;
  /** A session as pgglide opens it: search_path is pg_catalog, so qualify your tables. */
  readonly connection: Connection;
  readonly server: { readonly majorVersion: number };
  /** Statements of a user's session with the server's own settings (search_path public), over the simple protocol. */
  exec(sqlText: string): Promise<void>;
  /** Rows of one statement in that session. int8 arrives as a number. */
  rows<Row extends object>(sqlText: string): Promise<Row[]>;
}

export type Leak = 'connections' | 'slots' | 'subscriptions' | 'prepared transactions';

export class TestDatabase implements Database {
  readonly address: ServerAddress;
  readonly connection: Connection;
  readonly server: { readonly majorVersion: number };
  readonly #admin: Connection;
  readonly #user: pg.Client;

  private constructor(server: TestServer, admin: Connection, connection: Connection, user: pg.Client) {
    this.server = { majorVersion: server.majorVersion };
    this.address = connection.address;
    this.connection = connection;
    this.#admin = admin;
    this.#user = user;
  }

  static create(server: TestServer, role: string): Promise<TestDatabase> {
    return TestDatabase.named(server, `t_${randomBytes(5).toString('hex')}_${role}`);
  }

  static async named(server: TestServer, database: string): Promise<TestDatabase> {
    const admin = await Connection.open(server.address, { purpose: 'test' });
    await admin.script(sql`CREATE DATABASE ${ident(database)}`);
    const address = { ...server.address, database };
    const [connection, user] = await Promise.all([
      Connection.open(address, { purpose: 'test' }),
      userSession(address),
    ]);
    return new TestDatabase(server, admin, connection, user);
  }

  get name(): string {
    return this.address.database;
  }

  async exec(sqlText: string): Promise<void> {
    await this.#user.query(sqlText);
  }

  async rows<Row extends object>(sqlText: string): Promise<Row[]> {
    return (await this.#user.query<Row>(sqlText)).rows;
  }

  /** What the test left on the server, in words. Sessions get a moment to end: a client's goodbye is not answered. */
  async leaks(allowed: readonly Leak[]): Promise<string[]> {
    const found = async () => (await this.#things()).filter((thing) => !allowed.includes(thing.kind));
    await until('the end of sessions', async () => ((await found()).length === 0 ? true : undefined), {
      timeoutMs: 1_500,
    }).catch(() => undefined);
    return (await found()).map(({ kind, what }) => `${kind}: ${what}`);
  }

  /** Closes our own sessions, so that what is left is the test's. */
  async close(): Promise<void> {
    await Promise.all([this.connection.close(), this.#user.end().catch(() => undefined)]);
  }

  /** Removes the database with its subscriptions, slots, prepared transactions, sessions, and the roles named after it. */
  async drop(): Promise<void> {
    await using admin = this.#admin;
    await this.#dropInside();
    await until('the removal of replication slots', () => this.#dropSlots(), { timeoutMs: 10_000 });
    await admin.script(sql`DROP DATABASE IF EXISTS ${ident(this.name)} WITH (FORCE)`);
    const roles = await admin.query<{ name: string }>(
      sql`SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, ${this.name})`,
    );
    for (const role of roles)
      await admin.script(sql`DROP OWNED BY ${ident(role.name)}; DROP ROLE ${ident(role.name)}`);
  }

  async #things(): Promise<{ kind: Leak; what: string }[]> {
    return this.#admin.query(sql`
      SELECT 'connections' AS kind, pg_catalog.format('pid %s, %s, %s, %s: %s', pid, usename, application_name, state, query) AS what
      FROM pg_stat_activity
      WHERE datname = ${this.name} AND backend_type IN ('client backend', 'walsender')
      UNION ALL
      SELECT 'slots', slot_name FROM pg_replication_slots WHERE database = ${this.name}
      UNION ALL
      SELECT 'subscriptions', subname FROM pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = ${this.name})
      UNION ALL
      SELECT 'prepared transactions', gid FROM pg_prepared_xacts WHERE database = ${this.name}`);
  }

  async #dropInside(): Promise<void> {
    await using inside = await Connection.open(this.address, { purpose: 'test' });
    const prepared = await inside.query<{ gid: string }>(
      sql`SELECT gid FROM pg_prepared_xacts WHERE database = ${this.name}`,
    );
    for (const { gid } of prepared) await inside.script(sql`ROLLBACK PREPARED ${literal(gid)}`);
    const subscriptions = await inside.query<{ name: string }>(sql`
      SELECT subname AS name FROM pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = ${this.name})`);
    for (const { name } of subscriptions) {
      // One statement each: these may not run inside a transaction block.
      await inside.script(sql`ALTER SUBSCRIPTION ${ident(name)} DISABLE`);
      await inside.script(sql`ALTER SUBSCRIPTION ${ident(name)} SET (slot_name = NONE)`);
      await inside.script(sql`DROP SUBSCRIPTION ${ident(name)}`);
    }
  }

  /** True when none is left. A slot in use is freed first; its worker elsewhere may come back, hence the caller's loop. */
  async #dropSlots(): Promise<true | undefined> {
    const slots = await this.#admin.query<{ name: string; active: number | null }>(sql`
      SELECT slot_name AS name, active_pid AS active FROM pg_replication_slots WHERE database = ${this.name}`);
    for (const { name, active } of slots) {
      if (active !== null) await this.#admin.query(sql`SELECT pg_terminate_backend(${active})`);
      await this.#admin.query(sql`SELECT pg_drop_replication_slot(${name})`).catch(() => undefined);
    }
    return slots.length === 0 ? true : undefined;
  }
}

const INT8 = 20;

async function userSession(address: ServerAddress): Promise<pg.Client> {
  const { host, port, user, password, database } = address;
  const client = new pg.Client({
    host,
    port,
    user,
    password: password ?? '',
    database,
    application_name: 'test user',
    types: {
      getTypeParser: (oid: number, format?: 'text') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format),
    } as pg.CustomTypesConfig,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
