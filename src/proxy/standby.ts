/**
 * A session's connection on the other side, opened and brought to the session's state before the switch,
 * so that the switch itself only exchanges sockets.
 */

import { cstring, frame } from '../wire/bytes.ts';
import { closeStatement, query, sync } from '../wire/frontend.ts';
import { exchangeInDefinition } from '../wire/type-oids.ts';
import { type Holdings, rebuild } from './holdings.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import type { WarmStatement } from './recent-statements.ts';
import type { ServerConnection } from './server-connection.ts';
import type { OidTranslation } from './type-names.ts';

const NOTHING = {
  settings: [],
  role: 'none',
  channels: [],
  sqlPrepared: [],
  parsed: [],
  advisoryLocks: [],
  temporaryTables: [],
  holdCursors: [],
} as const;

export class Standby {
  readonly connection: ServerConnection;
  /** What it has been given so far. */
  applied: Holdings;
  /** Between the OIDs the client knows and those of this server. */
  translation: OidTranslation | undefined;
  typesMatched = false;
  readonly #parsed = new Map<string, Buffer>();

  constructor(connection: ServerConnection, user: string) {
    this.connection = connection;
    this.applied = { ...NOTHING, sessionUser: user };
  }

  /** Adds what is missing in one round trip. Returns what could not be rebuilt. */
  async bring(
    wanted: Holdings | undefined,
    statements: PreparedStatements,
    timeoutMs: number,
  ): Promise<string[]> {
    const steps = wanted === undefined ? [] : rebuild(wanted, this.applied);
    for (const name of this.#parsed.keys()) {
      if (statements.named.has(name)) continue;
      steps.push({ what: `closing ${name}`, messages: Buffer.concat([closeStatement(name), sync()]) });
      this.#parsed.delete(name);
    }
    for (const [name, definition] of statements.named) {
      if (this.#parsed.get(name) === definition) continue;
      const replace = this.#parsed.has(name) ? [closeStatement(name)] : [];
      steps.push({
        what: `prepared statement "${name}"`,
        messages: Buffer.concat([...replace, frame('P', latin1(name), this.#translated(definition)), sync()]),
      });
      this.#parsed.set(name, definition);
    }
    if (wanted !== undefined) this.applied = wanted;
    if (steps.length === 0) return [];
    const messages = Buffer.concat(steps.map((step) => step.messages));
    const answers = await this.connection.ask(messages, steps.length, timeoutMs);
    return steps.flatMap(({ what }, index) => {
      const error = answers[index]?.error;
      return error === undefined ? [] : [`${what}: ${error.message}`];
    });
  }

  /**
   * Plans statements like those that will come, so that the server's caches for this session are filled.
   * Nothing is executed, and whatever could happen while planning happens in a read-only transaction.
   */
  async warm(statements: readonly WarmStatement[], timeoutMs: number): Promise<void> {
    if (statements.length === 0) return;
    const begin = query('BEGIN READ ONLY');
    const rollback = query('ROLLBACK');
    const messages = statements.flatMap(({ definition, bindTail }) => [
      begin,
      frame('P', cstring(''), this.#translated(definition)),
      frame('B', cstring(''), cstring(''), bindTail),
      sync(),
      rollback,
    ]);
    await this.connection.ask(Buffer.concat(messages), statements.length * 3, timeoutMs);
  }

  #translated(definition: Buffer): Buffer {
    const { translation } = this;
    return translation === undefined ? definition : exchangeInDefinition(definition, translation.toServer);
  }

  close(): void {
    this.connection.close();
  }
}

const latin1 = (name: string): Buffer => Buffer.from(`${name}\0`, 'latin1');
