/**
 * What clients that went without a word have left running. PostgreSQL itself works on for such a client until it has something to
 * say to it; but a switch would wait for its locks, and nobody for its answer.
 */

import { IDLE_RECEIVER, type ServerConnection } from './server-connection.ts';

const CANCEL_TIMEOUT_MS = 5_000;

export class LeftRunning {
  readonly #servers = new Set<ServerConnection>();

  /** Its client's end was passed on. */
  add(server: ServerConnection): void {
    this.#servers.add(server);
    server.attach({ ...IDLE_RECEIVER, closed: () => this.#servers.delete(server) });
  }

  /** Best effort, as everywhere in PostgreSQL; what it did is rolled back when its server has noticed. */
  cancel(): void {
    for (const server of this.#servers) void server.cancel(CANCEL_TIMEOUT_MS).catch(() => undefined);
  }
}
