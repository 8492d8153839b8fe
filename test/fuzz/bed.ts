/** Two servers with the same data, a proxy before them, and what is said to each of the three for the same script. */

import { sleep, until } from '../../src/base/async.ts';
import { otherSide, SIDES, type Side } from '../../src/domain/names.ts';
import { sql } from '../../src/postgres/sql.ts';
import type { Database } from '../support/database.ts';
import { type ProxyBed, startProxyBed } from '../support/proxy-bed.ts';
import { hasReached, type Milestone, milestoneOf, type Player, play } from './play.ts';
import { RawClient } from './raw-client.ts';
import { FORGET_WRITTEN, INVENTORY, OWN, schemaFor, WRITTEN } from './schema.ts';
import { bySession, type Item, type Names, type Op, type Script } from './script.ts';
import { CLOSED, inOrder, isOfTheServer, type TypeNames, told, withoutBeginnings } from './told.ts';

export interface Heard {
  /** Of each session. */
  readonly lines: readonly (readonly string[])[];
  readonly written: string;
  /** What should not have happened. */
  readonly problem?: string;
}

export interface Oracle extends Heard {
  readonly milestones: readonly (readonly Milestone[])[];
}

export interface Tally {
  scripts: number;
  messages: number;
  switches: number;
  pauses: number;
  /** Switches given up for a reason that the documentation names. */
  refusals: number;
  /** Scripts to which the two servers answer differently by themselves: nothing can be said of the proxy. */
  unfit: number;
}

const LONG_MS = 20_000;
/** No session takes that long to say what it has to say, unless it waits for an answer that does not come. */
const DRAIN_MS = 30_000;
const END = 'the end of this script';
/** Sessions that the documentation says cannot be moved. */
const KNOWN_REFUSAL = /temporary|WITH HOLD/;

const query = (text: string): Item => ({ send: { is: 'Query', text }, flush: true });
const WAIT: Item = { wait: true };

/** Ends whatever was begun, and asks what is left. */
function withEnd(script: Script, mayMove: boolean): Script {
  const closing: Item[] = [
    { send: { is: 'CopyFail', text: 'over' } },
    { send: { is: 'Sync' }, flush: true },
    query('ROLLBACK'),
    WAIT,
  ];
  const move: Item[] = mayMove ? [{ op: 'switch', settle: true }] : [];
  return [...script, ...closing, ...move, ...INVENTORY.map(query), query(`SELECT '${END}'`)];
}

export class FuzzBed implements AsyncDisposable {
  readonly tally: Tally = { scripts: 0, messages: 0, switches: 0, pauses: 0, refusals: 0, unfit: 0 };
  readonly #on: Readonly<Record<Side, Database>>;
  readonly #bed: ProxyBed;
  readonly #names: Readonly<Record<Side, Names>>;
  readonly #types: Readonly<Record<Side, TypeNames>>;

  private constructor(
    on: Record<Side, Database>,
    bed: ProxyBed,
    names: Record<Side, Names>,
    types: Record<Side, TypeNames>,
  ) {
    this.#on = on;
    this.#bed = bed;
    this.#names = names;
    this.#types = types;
  }

  static async start(source: Database, target: Database): Promise<FuzzBed> {
    const on = { source, target };
    const plainRole = `${source.name}_plain`;
    await Promise.all(SIDES.map((side) => on[side].exec(schemaFor(side, plainRole))));
    const types = { source: await typesOf(source), target: await typesOf(target) };
    const namesOn = (side: Side): Names => ({
      oids: new Map([...types[side]].map(([oid, name]) => [name, oid])),
      plainRole,
      own: '',
    });
    const names = { source: namesOn('source'), target: namesOn('target') };
    return new FuzzBed(on, await startProxyBed(source, target), names, types);
  }

  /** What both servers say to the script, in the words of the active one; undefined where they differ by themselves. */
  async ask(script: Script): Promise<Oracle | undefined> {
    const [source, target] = await Promise.all(SIDES.map((side) => this.#direct(script, side)));
    // A session that waits for something by itself.
    if (source?.problem !== undefined || target?.problem !== undefined) return undefined;
    if (source === undefined || target === undefined) return undefined;
    const isSame = JSON.stringify(alike(source)) === JSON.stringify(alike(target));
    const { activeSide } = await this.#bed.traffic.observe();
    return isSame ? { source, target }[activeSide] : undefined;
  }

  /** What the proxy's clients hear. */
  async hear(script: Script, oracle: Oracle, mayMove: boolean): Promise<Heard> {
    const { activeSide } = await this.#bed.traffic.observe();
    const { host = '', port = 0 } = this.#bed.config;
    const login = { ...this.#login(activeSide), host, port, database: this.#bed.database };
    const problems: string[] = [];
    let ops: Promise<void> = Promise.resolve();
    const op = (op: Op) => {
      ops = ops.then(() => this.#do(op)).catch((error: unknown) => void problems.push(`${op}: ${error}`));
      return ops;
    };
    const clients = await eachSession(script, async (words, session) => {
      const client = await RawClient.connect(login);
      const milestones = oracle.milestones[session] ?? [];
      const player: Player = {
        client,
        names: this.#namesOf(session, activeSide),
        waited: async (index) => {
          const milestone = milestones[index];
          const isOver = () =>
            client.isClosed || milestone === undefined || hasReached(milestone, client.received);
          await client.until('the answers', isOver, LONG_MS);
        },
        milestoneAt: (index) => milestones[index],
        op,
      };
      try {
        await play(withEnd(words, mayMove), player);
        await untilEnd(client);
      } catch (error) {
        problems.push(String(error));
      }
      return client;
    });
    await ops;
    return await this.#heard(clients, this.#types[activeSide], SIDES, problems);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bed[Symbol.asyncDispose]();
  }

  #namesOf(session: number, side: Side): Names {
    return { ...this.#names[side], own: OWN[session] ?? '' };
  }

  async #direct(script: Script, side: Side): Promise<Oracle> {
    const milestones: Milestone[][] = [];
    const problems: string[] = [];
    const clients = await eachSession(script, async (words, session) => {
      const client = await RawClient.connect(this.#login(side));
      const reached: Milestone[] = [];
      milestones[session] = reached;
      const player: Player = {
        client,
        names: this.#namesOf(session, side),
        waited: async () => {
          await this.#untilReading(client, side);
          reached.push(milestoneOf(client.received));
        },
        milestoneAt: (index) => reached[index],
        op: async () => undefined,
      };
      try {
        await play(withEnd(words, false), player);
        await untilEnd(client);
      } catch (error) {
        problems.push(String(error));
      }
      return client;
    });
    return { ...(await this.#heard(clients, this.#types[side], [side], problems)), milestones };
  }

  /** The server process has taken all that was sent, and waits for more. */
  async #untilReading(client: RawClient, side: Side): Promise<void> {
    await until(
      'the server’s own wait',
      async () => {
        const rows = await this.#on[side].connection.query<{ event: string | null }>(
          sql`SELECT wait_event AS event FROM pg_stat_activity WHERE pid = ${client.pid}`,
        );
        return rows[0] === undefined || rows[0].event === 'ClientRead' || client.isClosed ? true : undefined;
      },
      { timeoutMs: LONG_MS, intervalMs: 1 },
    );
    await sleep(1);
  }

  async #heard(
    clients: readonly RawClient[],
    types: TypeNames,
    sides: readonly Side[],
    problems: readonly string[],
  ) {
    const lines = clients.map((client) => [
      ...inOrder(client.received.map((message) => told(message, types))),
      ...(client.isClosed ? [CLOSED] : []),
    ]);
    await Promise.all(clients.map((client) => client.end()));
    await Promise.all(sides.map((side) => this.#endSessions(side)));
    const rows = await Promise.all(
      sides.map((side) => this.#on[side].rows<{ v: number; t: string }>(WRITTEN)),
    );
    const written = rows
      .flat()
      .map((row) => JSON.stringify(row))
      .sort()
      .join(' ');
    await Promise.all(sides.map((side) => this.#on[side].exec(FORGET_WRITTEN)));
    return { lines, written, ...(problems.length > 0 ? { problem: problems.join('; ') } : {}) };
  }

  /** Connections that a moved session left are given up one after another; they hold locks. */
  async #endSessions(side: Side): Promise<void> {
    const { connection } = this.#on[side];
    await until(
      'the end of the sessions',
      async () => {
        const rows = await connection.query(
          sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${this.#bed.role}`,
        );
        return rows.length === 0 ? true : undefined;
      },
      { timeoutMs: LONG_MS, intervalMs: 2 },
    );
  }

  #login(side: Side) {
    const { host, port, database } = this.#on[side].address;
    return { host, port, database, user: this.#bed.role, password: this.#bed.password };
  }

  async #do(op: Op): Promise<void> {
    const { traffic } = this.#bed;
    const { activeSide, epoch } = await traffic.observe();
    const to = otherSide(activeSide);
    if (op !== 'pause') {
      const { failures, obstacles } = await traffic.prepare(to);
      if (failures.length > 0) throw new Error(failures.join('; '));
      if (this.#isRefused(obstacles) || op === 'prepare') return;
    }
    const paused = await traffic.pause({ reason: 'fuzz', leaseMs: 60_000, drainTimeoutMs: DRAIN_MS });
    if (op === 'pause' || !paused.drained) {
      await traffic.resume(activeSide, epoch);
      this.tally.pauses += 1;
      this.#isRefused(paused.obstacles);
      return;
    }
    await traffic.committing(to, epoch + 1);
    await traffic.resume(to, epoch + 1);
    this.tally.switches += 1;
  }

  #isRefused(obstacles: readonly { readonly what: string }[]): boolean {
    const unknown = obstacles.filter(({ what }) => !KNOWN_REFUSAL.test(what));
    if (unknown.length > 0) throw new Error(unknown.map(({ what }) => what).join('; '));
    if (obstacles.length > 0) this.tally.refusals += 1;
    return obstacles.length > 0;
  }
}

async function untilEnd(client: RawClient): Promise<void> {
  const isOver = () => {
    const [row, , last] = client.received.slice(-3);
    return last?.type === 0x5a && (row?.body.includes(END) ?? false);
  };
  await client.until('the end', () => client.isClosed || isOver(), LONG_MS);
}

/** The sessions speak at the same time. */
async function eachSession(
  script: Script,
  speak: (words: Script, session: number) => Promise<RawClient>,
): Promise<RawClient[]> {
  return await Promise.all(bySession(script).map(speak));
}

const alike = ({ lines }: Oracle) =>
  lines.map((said) => withoutBeginnings(said.filter((line) => !isOfTheServer(line))));

async function typesOf(database: Database): Promise<TypeNames> {
  const rows = await database.rows<{ oid: number; name: string }>(
    `SELECT oid::int8 AS oid, typname AS name FROM pg_type WHERE oid >= 16384`,
  );
  return new Map(rows.map(({ oid, name }) => [oid, name]));
}
