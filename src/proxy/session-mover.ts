/** Opens a session's connections and takes it to the other side. One session at a time; the order is the caller's. */

import { DeadlineError, withDeadline } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import type { Side } from '../domain/names.ts';
import type { LoggedInClient } from './client-login.ts';
import { canBecome, type Holdings, immovableBecause } from './holdings.ts';
import type { ImmovablePolicy, Limits } from './options.ts';
import type { RecentStatements } from './recent-statements.ts';
import { ServerConnection } from './server-connection.ts';
import type { Session } from './session.ts';
import { readSettingNames } from './setting-names.ts';
import { Standby } from './standby.ts';
import { readTypeNames, type TypeNames, translationBetween } from './type-names.ts';

export interface MoverSurroundings {
  readonly servers: Readonly<Record<Side, ServerAddress>>;
  readonly limits: Limits;
  readonly immovable: ImmovablePolicy;
  readonly recentFor: (session: Session) => RecentStatements;
}

const ASK_TIMEOUT_MS = 5_000;
/** How long a prepare waits for one session's idle moment before it goes on without. */
const IDLE_TIMEOUT_MS = 2_000;

export class SessionMover {
  readonly #surroundings: MoverSurroundings;
  readonly #types = new Map<string, Promise<TypeNames>>();
  readonly #settingNames = new Map<string, Promise<readonly string[]>>();

  constructor(surroundings: MoverSurroundings) {
    this.#surroundings = surroundings;
  }

  /** A connection to `side` as this client. @throws what ServerConnection.open throws */
  async connect(client: LoggedInClient, side: Side): Promise<ServerConnection> {
    const { servers, limits } = this.#surroundings;
    const parameters = new Map(client.parameters);
    parameters.set('database', this.#databaseOn(side, client.database));
    return await ServerConnection.open({
      side,
      address: servers[side],
      parameters,
      credential: client.credential,
      timeoutMs: limits.connectTimeoutMs,
    });
  }

  /**
   * Opens and brings up to date the session's standby, and warms it when there is time.
   * @throws when that is not possible now
   */
  async prepare(session: Session, side: Side, timeoutMs: number, isInTime: () => boolean): Promise<void> {
    if (session.isStarting) return;
    this.dropLost(session, side);
    const opened = await this.#standbyFor(session, side);
    if (opened === undefined) return;
    session.mayHaveSet(await this.#settingNamesOn(opened, session.client.database));
    const holdings = await this.#whenIdle(session, Math.min(timeoutMs, IDLE_TIMEOUT_MS), () =>
      session.holdings(ASK_TIMEOUT_MS),
    );
    if (holdings === undefined) return;
    session.obstacle = immovableBecause(holdings);
    if (session.obstacle !== undefined) return;
    this.#dropUnfit(session, holdings);
    const standby = await this.#standbyFor(session, side);
    if (standby === undefined) return;
    await this.#matchTypes(session, standby);
    // A pause has begun: it brings its sessions up to date itself, and nothing else may speak to their standbys.
    if (session.isHeld || session.standby !== standby) return;
    // Locks are taken when the session is held: until then it may give them back.
    const early = holdings.advisoryLocks.length === 0 ? holdings : { ...holdings, advisoryLocks: [] };
    const failures = await standby.bring(early, session.statements, timeoutMs);
    if (session.isHeld || session.standby !== standby) return;
    if (isInTime()) await standby.warm(this.#surroundings.recentFor(session).list(), timeoutMs);
    const serious = await this.#onlyHere(session, standby, failures);
    if (serious.length > 0) throw new Error(serious.join('; '));
  }

  /** The next prepare reads the servers' types and functions again. */
  forgetCatalogs(): void {
    this.#types.clear();
    this.#settingNames.clear();
  }

  /** The functions are the same on both sides: asked where no client waits. */
  async #settingNamesOn({ connection }: Standby, database: string): Promise<readonly string[]> {
    return await onceFor(this.#settingNames, `${connection.side} ${database}`, () =>
      readSettingNames(connection),
    );
  }

  async #matchTypes(session: Session, standby: Standby): Promise<void> {
    const { database } = session.client;
    const own = session.server?.side;
    if (own === undefined) return;
    if (own === session.originSide) {
      session.clientTypes = await this.#typesOn(own, database, async () => {
        const names = await this.#whenIdle(session, IDLE_TIMEOUT_MS, () => session.typeNames());
        if (names === undefined) throw new Error('The session stays busy');
        return names;
      });
    }
    if (session.clientTypes !== undefined && standby.connection.side !== session.originSide) {
      // Meanwhile it may serve the client.
      if (session.standby !== standby) return;
      const there = await this.#typesOn(standby.connection.side, database, () =>
        readTypeNames(standby.connection),
      );
      standby.translation = translationBetween(session.clientTypes, there);
    }
    standby.typesMatched = true;
  }

  /** Read once for all sessions of a database. */
  async #typesOn(side: Side, database: string, read: () => Promise<TypeNames>): Promise<TypeNames> {
    return await onceFor(this.#types, `${side} ${database}`, read);
  }

  /** Of the failures those that are the other side's: a statement that cannot be parsed any more where it is now is no loss. */
  async #onlyHere(session: Session, standby: Standby, failures: readonly string[]): Promise<string[]> {
    const serious: string[] = [];
    for (const failure of failures) {
      const [, name] = /^prepared statement "(.*)": /s.exec(failure) ?? [];
      const definition = name === undefined ? undefined : session.statements.named.get(name)?.definition;
      const isStale =
        definition !== undefined &&
        (await this.#whenIdle(session, IDLE_TIMEOUT_MS, () => session.canParse(definition))) === false;
      if (isStale) continue;
      serious.push(failure);
    }
    if (serious.length > 0) standby.tryAgain();
    return serious;
  }

  /**
   * Brings a held, idle session's standby on `side` fully up to date: after it, moving is a mere exchange of sockets.
   * Where no side is prepared it is only looked at whether it could be moved.
   */
  async settle(session: Session, side: Side | undefined): Promise<void> {
    if (session.isClosed || session.isStarting || session.server?.side === side) return;
    await session.standby?.connection.untilQuiet();
    const holdings = await session.holdings(ASK_TIMEOUT_MS);
    session.obstacle = immovableBecause(holdings);
    if (session.obstacle !== undefined || side === undefined) return;
    this.dropLost(session, side);
    if (session.standby?.has(holdings, session.statements)) return;
    this.#dropUnfit(session, holdings);
    const standby = await this.#standbyFor(session, side);
    if (standby === undefined) return;
    if (!standby.typesMatched) await this.#matchTypes(session, standby);
    const failures = await standby.bring(holdings, session.statements, ASK_TIMEOUT_MS);
    const serious = await this.#onlyHere(session, standby, failures);
    if (serious.length > 0) session.obstacle = serious.join('; ');
  }

  /** The session's standby, opened when there is none; undefined when it is not needed any more. */
  async #standbyFor(session: Session, side: Side): Promise<Standby | undefined> {
    if (session.standby !== undefined) return session.standby;
    if (session.isClosed || session.server?.side === side) return undefined;
    const opened = new Standby(await this.connect(session.client, side), session.client.user);
    if (session.standby === undefined && !session.isClosed && session.server?.side !== side) {
      session.standby = opened;
      return opened;
    }
    opened.close();
    return session.standby;
  }

  /** True when the session can be moved at once. */
  isReady(session: Session, side: Side): boolean {
    if (session.isStarting || session.server?.side === side) return true;
    const { standby } = session;
    return (
      standby !== undefined &&
      standby.connection.side === side &&
      !standby.connection.isClosed &&
      !standby.connection.isAsking &&
      session.isIdle &&
      // Not merely known: this standby, which may have come after the pause, was given them.
      session.knownHoldings !== undefined &&
      standby.has(session.knownHoldings, session.statements) &&
      session.obstacle === undefined
    );
  }

  /** True when a held, idle session can be rebuilt elsewhere without another word with its server. */
  knowsAll(session: Session): boolean {
    return session.knownHoldings !== undefined && session.obstacle === undefined;
  }

  /** What becomes of a session that has an obstacle. */
  get policy(): ImmovablePolicy {
    return this.#surroundings.immovable;
  }

  /** Opens what is missing and settles the session. @throws when it cannot be moved */
  async makeReady(session: Session, side: Side): Promise<void> {
    await withDeadline(
      'the end of the running transaction',
      this.#surroundings.limits.moveTimeoutMs,
      session.untilIdle(),
    );
    if (session.isClosed) return;
    this.dropLost(session, side);
    await this.settle(session, side);
    if (session.obstacle !== undefined) throw new Error(session.obstacle);
    await session.standby?.connection.untilQuiet();
  }

  /** A standby that was lost, or lacks something, or is for the wrong side, is no standby. */
  dropLost(session: Session, side: Side): void {
    const { standby } = session;
    if (standby === undefined) return;
    const { connection } = standby;
    if (!standby.isBroken && !connection.isClosed && connection.side === side) return;
    connection.close();
    session.standby = undefined;
  }

  /** A standby that has what the session does not, and cannot give it back. */
  #dropUnfit(session: Session, holdings: Holdings): void {
    const { standby } = session;
    if (standby === undefined || canBecome(standby.applied, holdings)) return;
    standby.close();
    session.standby = undefined;
  }

  /** Work that needs an idle session, begun in the very moment it is; undefined when it stays busy or in a transaction. */
  async #whenIdle<T>(session: Session, timeoutMs: number, work: () => Promise<T>): Promise<T | undefined> {
    const deadline = performance.now() + timeoutMs;
    while (!session.isClosed) {
      if (session.isIdle) return await work();
      try {
        await withDeadline('an idle moment', Math.max(1, deadline - performance.now()), session.untilIdle());
      } catch (error) {
        if (error instanceof DeadlineError) return undefined;
        throw error;
      }
    }
    return undefined;
  }

  /** A database that goes by different names on the two servers: either name means the one of the side. */
  #databaseOn(side: Side, wanted: string): string {
    const { source, target } = this.#surroundings.servers;
    const isMigrated = wanted === source.database || wanted === target.database;
    return isMigrated ? this.#surroundings.servers[side].database : wanted;
  }
}

/** Reads what nobody has read yet. Whoever is asked may go meanwhile: then the next one is asked. */
async function onceFor<T>(known: Map<string, Promise<T>>, key: string, read: () => Promise<T>): Promise<T> {
  const found = await known.get(key)?.catch(() => undefined);
  if (found !== undefined) return found;
  const reading = read();
  known.set(key, reading);
  reading.catch(() => {
    if (known.get(key) === reading) known.delete(key);
  });
  return await reading;
}
