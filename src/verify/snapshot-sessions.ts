/** Sessions on one side that all see one instant. */

import type { ServerAddress } from '../config/server-address.ts';
import { PrerequisiteError } from '../domain/errors.ts';
import { Connection, sqlState } from '../postgres/connection.ts';
import { exportSnapshot, releaseSnapshot } from '../postgres/snapshot.ts';
import { literal, sql } from '../postgres/sql.ts';
import { INVALID_PARAMETER_VALUE, UNDEFINED_OBJECT } from '../postgres/sqlstate.ts';
import { pinSession } from './pin-session.ts';

export class SnapshotSessions implements AsyncDisposable {
  readonly connections: readonly Connection[];

  private constructor(connections: readonly Connection[]) {
    this.connections = connections;
  }

  static async open(address: ServerAddress, width: number): Promise<SnapshotSessions> {
    const opened = await Promise.allSettled(
      Array.from({ length: Math.max(1, width) }, () => pinnedConnection(address)),
    );
    const connections = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = opened.find((one) => one.status === 'rejected');
    if (failed === undefined) return new SnapshotSessions(connections);
    await Promise.all(connections.map((connection) => connection.close()));
    throw failed.reason;
  }

  get first(): Connection {
    return this.#at(0);
  }

  #at(index: number): Connection {
    const connection = this.connections[index];
    if (connection === undefined) throw new RangeError(`No session ${index}`);
    return connection;
  }

  /**
   * Puts all sessions into one snapshot: the named one, or a new one of this instant.
   *
   * @throws {PrerequisiteError} `snapshot_gone`: the transaction that exported it has ended
   */
  async pin(snapshot?: string): Promise<void> {
    const [first, ...others] = this.connections;
    const name = snapshot ?? (first === undefined ? '' : await exportSnapshot(first));
    const importing = snapshot === undefined ? others : this.connections;
    await Promise.all(importing.map((connection) => importSnapshot(connection, name)));
    await Promise.all(this.connections.map((connection) => connection.script(sql`SAVEPOINT look`)));
  }

  /**
   * Reads in the snapshot. A transaction keeps its table locks to its end, and a single ALTER TABLE that waits for one
   * makes all other sessions wait behind it: going back to a savepoint lets them go after each look.
   */
  async look<T>(index: number, work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#at(index);
    const result = await work(connection);
    await connection.script(sql`ROLLBACK TO SAVEPOINT look`);
    return result;
  }

  /** Lets the snapshot go: vacuum may clean up behind it again. A session that is lost has let go already. */
  async unpin(): Promise<void> {
    await Promise.all(
      this.connections.map((connection) => releaseSnapshot(connection).catch(() => undefined)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.close()));
  }
}

export async function pinnedConnection(address: ServerAddress): Promise<Connection> {
  const connection = await Connection.open(address, { purpose: 'verify' });
  try {
    await pinSession(connection);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function importSnapshot(connection: Connection, name: string): Promise<void> {
  await connection.script(sql`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`);
  try {
    await connection.script(sql`SET TRANSACTION SNAPSHOT ${literal(name)}`);
  } catch (error) {
    const state = sqlState(error);
    if (state !== INVALID_PARAMETER_VALUE && state !== UNDEFINED_OBJECT) throw error;
    throw new PrerequisiteError('snapshot_gone', `Snapshot ${name} does not exist any more`, {
      hint: 'The session that held it has ended. Run pgglide verify: it compares under load, without it.',
      cause: error,
    });
  }
}
