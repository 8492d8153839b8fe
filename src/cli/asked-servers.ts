/** The proxy's two questions to the servers, asked over connections of ours: whose verifier, and which side is active. */

import type { ServerAddress } from '../config/server-address.ts';
import type { Side } from '../domain/names.ts';
import { settleFences } from '../migration/settle.ts';
import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import type { Direction, ServingOptions } from '../proxy/options.ts';

/** A role's password may be changed at any time: not longer than this until the proxy knows. */
const VERIFIER_CACHE_MS = 2_000;
const MAX_CACHED = 10_000;
/** A tool that is alive undoes or finishes a switchover in less; after its lease and this its sessions are ended. */
const SILENT_RUNNER_MS = 5_000;

/** Keeps one connection to each side, and opens it again when it is lost. */
export class AskedServers implements AsyncDisposable {
  /** False while the proxy starts: then it takes the row's word as it is, also in the middle of a switchover. */
  isServing = false;
  readonly #servers: Readonly<Record<Side, ServerAddress>>;
  #unsettledSinceMs: number | undefined;
  readonly #connections = new Map<Side, Promise<Connection>>();
  readonly #verifiers = new Map<string, { readonly text: string | undefined; readonly untilMs: number }>();

  constructor(servers: Readonly<Record<Side, ServerAddress>>) {
    this.#servers = servers;
  }

  /** For the proxy. */
  get answers(): Pick<ServingOptions, 'lookupVerifier' | 'askActiveSide'> {
    return {
      lookupVerifier: (user, side) => this.verifierOf(user, side),
      askActiveSide: () => this.activeSide(),
    };
  }

  async verifierOf(user: string, side: Side): Promise<string | undefined> {
    const key = `${side} ${user}`;
    const known = this.#verifiers.get(key);
    if (known !== undefined && known.untilMs > performance.now()) return known.text;
    const connection = await this.#connection(side);
    const [row] = await connection.query<{ text: string | null }>(
      sql`SELECT rolpassword AS text FROM pg_catalog.pg_authid
          WHERE rolname = ${user} AND rolcanlogin AND (rolvaliduntil IS NULL OR rolvaliduntil > now())`,
    );
    const text = row?.text ?? undefined;
    if (this.#verifiers.size >= MAX_CACHED) this.#verifiers.clear();
    this.#verifiers.set(key, { text, untilMs: performance.now() + VERIFIER_CACHE_MS });
    return text;
  }

  /**
   * What the migration row on the target says, once the side it names takes writes: where a tool died in a switchover
   * that is seen to first. Undefined when there is no row, no way to read it, or a switchover still under way.
   */
  async activeSide(): Promise<Direction | undefined> {
    try {
      const { name } = (await this.#row()) ?? {};
      if (name === undefined) return undefined;
      return (await this.#settle(name)) || !this.isServing ? await this.#row() : undefined;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connections = await Promise.allSettled(this.#connections.values());
    for (const opened of connections) if (opened.status === 'fulfilled') await opened.value.close();
  }

  /** Asked again and again once a lease has ended. */
  async #settle(migration: string): Promise<boolean> {
    const now = performance.now();
    this.#unsettledSinceMs ??= now;
    const endRunner = this.isServing && now - this.#unsettledSinceMs > SILENT_RUNNER_MS;
    const open = (side: Side) => this.#open(side);
    const isSettled = await settleFences({ migration, open, endRunner }).catch(() => false);
    if (isSettled) this.#unsettledSinceMs = undefined;
    return isSettled;
  }

  async #row(): Promise<(Direction & { readonly name: string }) | undefined> {
    const connection = await this.#connection('target');
    const [row] = await connection.query<{ name: string; side: Side; epoch: number }>(
      sql`SELECT name, active_side AS side, epoch FROM pgglide.migration ORDER BY created_at DESC LIMIT 1`,
    );
    return row === undefined ? undefined : { ...row, epoch: Number(row.epoch) };
  }

  #open(side: Side): Promise<Connection> {
    return Connection.open(this.#servers[side], { purpose: 'proxy' });
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
