/** The sessions of the bulk copy: their settings, and their certain end. */

import { until } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { otherSide, type Side } from '../domain/names.ts';
import { Connection, sqlState } from '../postgres/connection.ts';
import { PASS_FENCE } from '../postgres/fence.ts';
import { sql } from '../postgres/sql.ts';
import { INSUFFICIENT_PRIVILEGE } from '../postgres/sqlstate.ts';

const PURPOSE = 'copy';
const END_TIMEOUT_MS = 10_000;

/** What a value looks like in text must not depend on either role's settings. */
const BOTH_SIDES: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmloption: 'content',
};

/** All sessions of one copy, so that they can be ended together from any moment on. */
export class CopySessions {
  readonly #addresses: Readonly<Record<Side, ServerAddress>>;
  readonly #open: Readonly<Record<Side, Set<Connection>>> = { source: new Set(), target: new Set() };
  #isCut = false;

  constructor(addresses: Readonly<Record<Side, ServerAddress>>) {
    this.#addresses = addresses;
  }

  async open(side: Side): Promise<Connection> {
    const session = await Connection.open(this.#addresses[side], { purpose: PURPOSE });
    this.#open[side].add(session);
    if (this.#isCut) session.destroy();
    await pin(session, BOTH_SIDES);
    if (side === 'target') await tuneForLoading(session);
    return session;
  }

  /** For a session that is not in the middle of a statement. */
  async close(side: Side, session: Connection): Promise<void> {
    this.#open[side].delete(session);
    await session.close();
  }

  /** Cuts every socket: whatever runs on them rejects now. */
  cut(): void {
    this.#isCut = true;
    for (const session of [...this.#open.source, ...this.#open.target]) session.destroy();
  }

  /** Cuts, and returns when no backend of ours is left on a server that can be reached. */
  async end(): Promise<void> {
    this.cut();
    await Promise.all([this.#endBackends('source'), this.#endBackends(otherSide('source'))]);
  }

  /** A cut socket is not enough: a backend that waits for a lock or for the disk does not look at it. */
  async #endBackends(side: Side): Promise<void> {
    const pids = [...this.#open[side]].map((session) => session.backendPid);
    if (pids.length === 0) return;
    try {
      await using control = await Connection.open(this.#addresses[side], { purpose: 'end of copy' });
      await until('the end of the copy sessions', () => terminate(control, pids), {
        timeoutMs: END_TIMEOUT_MS,
      });
    } catch {
      // The server is gone or does not listen; the error that brought us here says more.
    }
  }
}

async function pin(session: Connection, settings: Readonly<Record<string, string>>): Promise<void> {
  await session.query(sql`
    SELECT set_config(s.name, p.value, false)
    FROM json_each_text(${JSON.stringify(settings)}::json) AS p(name, value)
    JOIN pg_settings s ON s.name = p.name`);
}

/** Commits do not wait for the disk (copyParts flushes once at its end); no user trigger fires, no foreign key is checked. */
async function tuneForLoading(session: Connection): Promise<void> {
  await pin(session, { synchronous_commit: 'off' });
  await setIfPermitted(session, 'session_replication_role', 'replica');
  await session.script(PASS_FENCE);
}

/** Superusers may, on 15 and later also those to whom it was granted. */
async function setIfPermitted(session: Connection, name: string, value: string): Promise<void> {
  try {
    await session.query(sql`SELECT set_config(${name}, ${value}, false)`);
  } catch (error) {
    if (sqlState(error) !== INSUFFICIENT_PRIVILEGE) throw error;
  }
}

async function terminate(control: Connection, pids: readonly number[]): Promise<true | undefined> {
  const left = await control.query(sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = ANY(${pids}) AND application_name = ${`pgglide: ${PURPOSE}`}`);
  return left.length === 0 ? true : undefined;
}
