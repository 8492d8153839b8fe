/** The proxy's questions to the servers, asked over connections of ours: whose verifier, which side is active, and who they are. */

import { DeadlineError, sleep, withDeadline } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { UnreachableError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { SILENT_RUNNER_MS, settleFences } from '../migration/settle.ts';
import { Connection } from '../postgres/connection.ts';
import { isFenceRaised } from '../postgres/fence.ts';
import { logInVerifier } from '../postgres/roles.ts';
import { clusterIdentifier } from '../postgres/server-identity.ts';
import type { ProxyIdentity, ProxyServer } from '../proxy/control-types.ts';
import type { Direction, ServingOptions } from '../proxy/options.ts';
import { readActiveSides } from '../state/migration-row.ts';

/** A role's password may be changed at any time: not longer than this until the proxy knows. */
const VERIFIER_CACHE_MS = 2_000;
const MAX_CACHED = 10_000;
/** For a row of a catalog. A flow that a firewall has forgotten never answers; the next may find a server that is merely slow. */
const FIRST_ANSWER_MS = 2_000;
const SECOND_ANSWER_MS = 5_000;
/** Who asks would rather have half an answer than wait for a server that is down. */
const IDENTITY_MS = 1_000;
const LOOK_EVERY_MS = 1_000;

/** Keeps one connection to each side, and opens it again when it is lost or says nothing. */
export class AskedServers implements AsyncDisposable {
  /** False while the proxy starts: then it takes the row's word as it is, also in the middle of a switchover. */
  isServing = false;
  readonly #servers: Readonly<Record<Side, ServerAddress>>;
  readonly #migration: string;
  readonly #silentRunnerMs: number;
  readonly #connections = new Map<Side, Promise<Connection>>();
  /** The first answer was given in the middle of a switchover. */
  #beganUnderWay = false;
  readonly #verifiers = new Map<string, { readonly text: string | undefined; readonly untilMs: number }>();

  /** `migration`: its name. */
  constructor(
    servers: Readonly<Record<Side, ServerAddress>>,
    migration: string,
    silentRunnerMs = SILENT_RUNNER_MS,
  ) {
    this.#servers = servers;
    this.#migration = migration;
    this.#silentRunnerMs = silentRunnerMs;
  }

  /** For the proxy. */
  get answers(): Pick<ServingOptions, 'lookupVerifier' | 'askActiveSide' | 'untilSettled' | 'identity'> {
    return {
      lookupVerifier: (user, side) => this.verifierOf(user, side),
      askActiveSide: (silentMs) => this.activeSide(silentMs),
      untilSettled: (signal) => this.untilSettled(signal),
      identity: () => this.identity(),
    };
  }

  async verifierOf(user: string, side: Side): Promise<string | undefined> {
    const key = `${side} ${user}`;
    const known = this.#verifiers.get(key);
    if (known !== undefined && known.untilMs > performance.now()) return known.text;
    const text = await this.#ask(side, (connection) => logInVerifier(connection, user));
    if (this.#verifiers.size >= MAX_CACHED) this.#verifiers.clear();
    this.#verifiers.set(key, { text, untilMs: performance.now() + VERIFIER_CACHE_MS });
    return text;
  }

  /**
   * What the migration row on the target says, once the side it names takes writes: where a tool died in a switchover
   * that is seen to first. Undefined when the target says that there is no migration.
   *
   * @param silentMs for how long the tool has been silent
   * @throws what keeps the row from being read; Error while a switchover is under way, and where the target knows
   * other migrations only
   */
  async activeSide(silentMs = 0): Promise<Direction | undefined> {
    if ((await this.#row()) === undefined) return undefined;
    if (await this.#settle(silentMs)) return await this.#row();
    if (this.isServing) throw new Error('A switchover is under way');
    this.#beganUnderWay = true;
    return await this.#row();
  }

  /**
   * For a proxy that started in the middle of a switchover: it has no pause of the tool's whose end would tell that the tool
   * is gone. A living one leaves the active side fenced for moments only; longer than it may be silent, it counts as gone.
   *
   * @returns where traffic belongs; undefined at once where no switchover was under way
   */
  async untilSettled(signal: AbortSignal): Promise<Direction | undefined> {
    let fencedSinceMs: number | undefined;
    while (this.#beganUnderWay && !signal.aborted) {
      await sleep(LOOK_EVERY_MS);
      const now = performance.now();
      fencedSinceMs = (await this.#isActiveSideFenced()) ? (fencedSinceMs ?? now) : undefined;
      const direction = await this.activeSide(now - (fencedSinceMs ?? now)).catch(() => undefined);
      if (direction !== undefined) return direction;
    }
    return undefined;
  }

  async #isActiveSideFenced(): Promise<boolean> {
    const isFenced = async () => {
      const row = await this.#row();
      return row !== undefined && (await this.#ask(row.side, isFenceRaised));
    };
    return isFenced().catch(() => false);
  }

  /** A server that cannot be asked now is told by its address alone. */
  async identity(): Promise<ProxyIdentity> {
    const [source, target] = await Promise.all([this.#identityOf('source'), this.#identityOf('target')]);
    return { migration: this.#migration, servers: { source, target } };
  }

  async #identityOf(side: Side): Promise<ProxyServer> {
    const { host, port } = this.#servers[side];
    const asked = withDeadline(`The identity of the ${side}`, IDENTITY_MS, this.#clusterOf(side));
    const cluster = await asked.catch(() => undefined);
    return { address: `${host}:${port}`, cluster };
  }

  /** Also of a server that has no such database: it is another one, as like as not. */
  async #clusterOf(side: Side): Promise<string> {
    try {
      return await this.#ask(side, clusterIdentifier);
    } catch (error) {
      if (!(error instanceof UnreachableError) || error.code !== 'database_missing') throw error;
      await using elsewhere = await this.#open(side, 'postgres');
      return await clusterIdentifier(elsewhere);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connections = await Promise.allSettled(this.#connections.values());
    for (const opened of connections) if (opened.status === 'fulfilled') await opened.value.close();
  }

  /** Asked again and again once a lease has ended. */
  async #settle(silentMs: number): Promise<boolean> {
    const isSilent = this.isServing && silentMs > this.#silentRunnerMs;
    return settleFences({
      migration: this.#migration,
      open: (side, database) => this.#open(side, database),
      endRunnerOlderThanMs: isSilent ? this.#silentRunnerMs : undefined,
    }).catch(() => false);
  }

  async #row(): Promise<Direction | undefined> {
    const rows = await this.#ask('target', readActiveSides).catch((error: unknown) => {
      // Answered by a server on which nothing has begun.
      if (error instanceof UnreachableError && error.code === 'database_missing') return [];
      throw error;
    });
    const row = rows.find(({ name }) => name === this.#migration);
    if (row !== undefined) return { side: row.activeSide, epoch: row.epoch };
    if (rows.length === 0) return undefined;
    const others = rows.map(({ name }) => `"${name}"`).join(', ');
    throw new Error(`It knows the migration ${others}, and not "${this.#migration}"`);
  }

  /** Undefined: the lead's, which holds the migration's row. */
  #open(side: Side, database?: string): Promise<Connection> {
    const lead = this.#servers[side];
    return Connection.open({ ...lead, database: database ?? lead.database }, { purpose: 'proxy' });
  }

  async #ask<T>(side: Side, question: (connection: Connection) => Promise<T>): Promise<T> {
    const first = await this.#connection(side);
    try {
      return await withDeadline(`The answer of the ${side}`, FIRST_ANSWER_MS, question(first));
    } catch (error) {
      // A connection that was cut under the question says nothing of the server.
      if (!(error instanceof DeadlineError) && first.lost === undefined) throw error;
      first.destroy();
    }
    const second = await this.#connection(side);
    return await withDeadline(`The answer of the ${side}`, SECOND_ANSWER_MS, question(second));
  }

  async #connection(side: Side): Promise<Connection> {
    const existing = this.#connections.get(side);
    if (existing !== undefined) {
      const connection = await existing.catch(() => undefined);
      if (connection !== undefined && connection.lost === undefined) return connection;
      // Someone else may have replaced it while we waited.
      const now = this.#connections.get(side);
      if (now !== undefined && now !== existing) return await now;
    }
    const opening = this.#open(side);
    this.#connections.set(side, opening);
    return await opening;
  }
}
