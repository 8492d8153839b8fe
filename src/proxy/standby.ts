/**
 * A session's connection on the other side, opened and brought to the session's state before the switch,
 * so that the switch itself only exchanges sockets.
 */

import { frame } from '../wire/bytes.ts';
import { closeStatement, sync } from '../wire/frontend.ts';
import { exchangeInDefinition } from '../wire/type-oids.ts';
import { readIn } from './client-encoding.ts';
import { type Holdings, type Rebuild, rebuild } from './holdings.ts';
import type { Prepared, PreparedStatements } from './prepared-statements.ts';
import type { WarmStatement } from './recent-statements.ts';
import type { ServerConnection } from './server-connection.ts';
import type { OidTranslation } from './type-names.ts';
import { LOAD_PLPGSQL, ROUND_POINTS, warmingOf } from './warming.ts';

const NOTHING = {
  settings: [],
  customNames: [],
  role: 'none',
  channels: [],
  sqlPrepared: [],
  parsed: [],
  unknownStatements: [],
  advisoryLocks: [],
  temporaryTables: [],
  temporaryOthers: [],
  holdCursors: [],
} as const;

/** `statement`: that it parses. */
type Step = Rebuild & { readonly statement?: string };

export class Standby {
  readonly connection: ServerConnection;
  /** What it has been given so far. */
  applied: Holdings;
  /** Between the OIDs the client knows and those of this server. */
  translation: OidTranslation | undefined;
  typesMatched = false;
  /** Something could not be rebuilt: only another connection can be what was wanted. */
  isBroken = false;
  #statementsVersion = 0;
  readonly #parsed = new Map<string, Prepared>();

  constructor(connection: ServerConnection, user: string) {
    this.connection = connection;
    this.applied = { ...NOTHING, sessionUser: user };
  }

  /** Whether bring() would have nothing to add. */
  has(holdings: Holdings, statements: PreparedStatements): boolean {
    return (
      !this.isBroken &&
      this.applied === holdings &&
      this.#statementsVersion === statements.version &&
      this.typesMatched
    );
  }

  /** Adds what is missing in one round trip. Returns what could not be rebuilt. */
  async bring(
    wanted: Holdings | undefined,
    statements: PreparedStatements,
    timeoutMs: number,
  ): Promise<string[]> {
    const steps: Step[] = wanted === undefined ? [] : rebuild(wanted, this.applied);
    for (const [name, { encoding }] of this.#parsed) {
      if (statements.named.has(name)) continue;
      const text = latin1(name);
      steps.push({
        what: `closing ${name}`,
        ...readIn(encoding, text, Buffer.concat([closing(text), sync()])),
      });
      this.#parsed.delete(name);
    }
    for (const [name, prepared] of statements.named) {
      if (this.#parsed.get(name) === prepared) continue;
      const { definition, encoding } = prepared;
      const text = latin1(name);
      const messages = Buffer.concat([
        ...(this.#parsed.has(name) ? [closing(text)] : []),
        frame('P', text, this.#translated(definition)),
        sync(),
      ]);
      const texts = Buffer.concat([text, definition.subarray(0, definition.indexOf(0))]);
      const what = `prepared statement "${name}"`;
      steps.push({ what, statement: name, ...readIn(encoding, texts, messages) });
      this.#parsed.set(name, prepared);
    }
    if (wanted !== undefined) this.applied = wanted;
    this.#statementsVersion = statements.version;
    if (steps.length === 0) return [];
    const messages = Buffer.concat([...steps.map((step) => step.messages), CLOSE_UNNAMED]);
    const points = steps.reduce((sum, step) => sum + step.points, 1);
    const answers = await this.connection.ask(messages, points, timeoutMs);
    return steps.flatMap((step) => {
      const failed = answers.splice(0, step.points).find(({ error }) => error !== undefined);
      if (failed?.error === undefined) return [];
      // A statement is tried again the next time.
      if (step.statement === undefined) this.isBroken = true;
      else this.#parsed.delete(step.statement);
      return [`${step.what}: ${failed.error.message}`];
    });
  }

  /** What failed may yet be rebuilt: until then this has not what the session has. */
  tryAgain(): void {
    this.#statementsVersion = -1;
  }

  /**
   * Fills this session's caches on the server with what statements like those that will come need. Nothing of the
   * client's is executed: its statements are planned and explained, in read-only transactions that are rolled back.
   */
  async warm(statements: readonly WarmStatement[], timeoutMs: number): Promise<void> {
    if (statements.length === 0) return;
    const names = new Map(
      [...this.#parsed].map(([name, { definition }]) => [definition.toString('latin1'), name]),
    );
    const rounds = statements.map((statement) => {
      const definition = this.#translated(statement.definition);
      return warmingOf({ ...statement, definition }, names.get(statement.definition.toString('latin1')));
    });
    const messages = [LOAD_PLPGSQL, ...rounds.flat()];
    await this.connection.ask(Buffer.concat(messages), 3 + rounds.length * ROUND_POINTS, timeoutMs);
  }

  #translated(definition: Buffer): Buffer {
    const { translation } = this;
    return translation === undefined ? definition : exchangeInDefinition(definition, translation.toServer);
  }

  close(): void {
    this.connection.close();
  }
}

/** The last of ours: the client, who may have none, would find it. */
const CLOSE_UNNAMED = Buffer.concat([closeStatement(''), sync()]);

/** Close, of a statement. */
const closing = (name: Buffer): Buffer => frame('C', Buffer.from('S'), name);
const latin1 = (name: string): Buffer => Buffer.from(`${name}\0`, 'latin1');
