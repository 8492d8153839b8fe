/** What a proxy is given. It knows no SQL library: what must be asked of servers outside of sessions is injected. */

import type { ServerAddress } from '../config/server-address.ts';
import type { Side } from '../domain/names.ts';
import type { TlsFiles } from './client-tls.ts';
import type { ProxyIdentity } from './control-types.ts';

/** Where traffic points, and since which epoch of the migration. */
export interface Direction {
  readonly side: Side;
  readonly epoch: number;
}

/** What commands from beyond this machine must bring and be wrapped in. */
export interface ControlGuard {
  /** Path of the token's file. */
  readonly tokenFile: string;
  readonly tls: TlsFiles;
}

export type ControlListen =
  | { readonly unixPath: string }
  | { readonly host: string; readonly port: number; readonly guard?: ControlGuard | undefined };

export interface Limits {
  readonly maxClients: number;
  /** From the connection's first byte to the end of the log-in. */
  readonly startupTimeoutMs: number;
  /** Opening one connection to a server. */
  readonly connectTimeoutMs: number;
  /** How long a resume on the other side waits for sessions that no pause has drained. */
  readonly moveTimeoutMs: number;
  /** Standby connections that no pause has used are closed after this time. */
  readonly standbyTimeoutMs: number;
}

/**
 * What happens at a switch to a session that cannot be rebuilt elsewhere (temporary tables, WITH HOLD cursors):
 * `refuse`: prepare and pause report it as an obstacle, so that the owner gives the switch up.
 * `terminate`: it is ended with SQLSTATE 57P01.
 * `wait`: like `refuse`, but a pause gives it until the end of the drain time to let go of what it holds.
 */
export type ImmovablePolicy = 'refuse' | 'terminate' | 'wait';

export interface ProxyOptions extends ServingOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly control: ControlListen;
}

/** How clients are served, wherever their connections come from. */
export interface ServingOptions {
  /** Host, port and TLS are used; user and database are the client's own. */
  readonly servers: Readonly<Record<Side, ServerAddress>>;
  /** Served where neither the migration row nor the state file can tell. Omitted: then nobody is served until one can. */
  readonly assume?: Side | undefined;
  /** pg_authid.rolpassword of the role, undefined when it has none or cannot be read. Rejects when no server could be asked. */
  readonly lookupVerifier: (user: string, side: Side) => Promise<string | undefined>;
  /**
   * The migration row; undefined when the target says that there is none. Rejects when it cannot be read, or not yet.
   * `silentMs`: for how long nobody has said where traffic belongs.
   */
  readonly askActiveSide: (silentMs: number) => Promise<Direction | undefined>;
  /** Resolves once a switchover that was under way at the start has found its end; with undefined where none was. */
  readonly untilSettled?: ((signal: AbortSignal) => Promise<Direction | undefined>) | undefined;
  /** Whose traffic this is, for a tool that must not move that of others. Omitted: nobody is told. */
  readonly identity?: (() => Promise<ProxyIdentity>) | undefined;
  /** What the operator should know. Default: nothing is said. */
  readonly warn?: ((message: string) => void) | undefined;
  readonly stateFile?: string | undefined;
  /** Omitted: TLS is not offered to clients. */
  readonly clientTls?: TlsFiles | undefined;
  /** Path of a users file, mode 0600: its roles are not looked up on the servers. */
  readonly usersFile?: string | undefined;
  readonly immovable?: ImmovablePolicy | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** In a worker of several: which one, and the way to the others for a cancel request that is theirs. */
  readonly worker?:
    | { readonly index: number; readonly forwardCancel: (key: CancelKey) => Promise<void> }
    | undefined;
}

export interface CancelKey {
  readonly pid: number;
  readonly secret: Buffer;
}

export const DEFAULT_LIMITS: Limits = {
  maxClients: 10_000,
  startupTimeoutMs: 60_000,
  connectTimeoutMs: 10_000,
  moveTimeoutMs: 10_000,
  standbyTimeoutMs: 120_000,
};
