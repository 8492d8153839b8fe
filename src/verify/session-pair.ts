import type { ServerAddress } from '../config/server-address.ts';
import type { Side } from '../domain/names.ts';
import { type BothSides, onBothSides } from './both-sides.ts';
import { SnapshotSessions } from './snapshot-sessions.ts';

/** Sessions on both sides, closed together. */
export class SessionPair implements BothSides<SnapshotSessions>, AsyncDisposable {
  readonly source: SnapshotSessions;
  readonly target: SnapshotSessions;

  private constructor(source: SnapshotSessions, target: SnapshotSessions) {
    this.source = source;
    this.target = target;
  }

  /** @throws {UnreachableError} as Connection.open() */
  static async open(addresses: BothSides<ServerAddress>, width: number): Promise<SessionPair> {
    const opened: Partial<Record<Side, SnapshotSessions>> = {};
    try {
      const both = await onBothSides(async (side) => {
        const sessions = await SnapshotSessions.open(addresses[side], width);
        opened[side] = sessions;
        return sessions;
      });
      return new SessionPair(both.source, both.target);
    } catch (error) {
      await Promise.all([opened.source, opened.target].map((sessions) => sessions?.[Symbol.asyncDispose]()));
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source[Symbol.asyncDispose](), this.target[Symbol.asyncDispose]()]);
  }
}
