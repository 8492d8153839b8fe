/** Lets held sessions go on, where they are or on the other side: those whose requests wait first, a few at a time. */

import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inParallel } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import type { Side } from '../domain/names.ts';
import type { LeavingConnections } from './leaving-connections.ts';
import type { PauseAccount } from './pause-account.ts';
import { couldNotFollow } from './refusals.ts';
import { ReleaseWindow } from './release-window.ts';
import type { Session } from './session.ts';
import type { SessionMover } from './session-mover.ts';

export interface ReleaseSurroundings {
  readonly sessions: ReadonlySet<Session>;
  readonly mover: SessionMover;
  readonly leaving: LeavingConnections;
  readonly account: PauseAccount;
  readonly totals: { failedByProxy: number };
  /** By another owner, too. */
  readonly isPaused: () => boolean;
}

const MOVE_WIDTH = 16;
/** How many requests are released at once on a server whose size we do not know: one is at work while another's client is. */
const RELEASE_WIDTH = 2 * availableParallelism();
const RELEASE_MOMENT_MS = 20;
const IDLE_SESSIONS_A_TURN = 64;

export class Release {
  readonly #surroundings: ReleaseSurroundings;

  constructor(surroundings: ReleaseSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Sessions whose requests wait first, in the order of their waiting; then the idle ones; those that need a new connection meanwhile. */
  async all(side: Side): Promise<void> {
    const { sessions, mover } = this.#surroundings;
    const { ready, unready } = byReadiness(sessions, (session) => mover.isReady(session, side));
    const slow: Promise<unknown>[] = [
      inParallel(unready, MOVE_WIDTH, (session) => this.#moveSlowly(session, side)),
    ];
    // Its standby may have been lost while others had their turn.
    const move = (session: Session) => {
      if (mover.isReady(session, side)) this.#moveNow(session, side);
      else slow.push(this.#moveSlowly(session, side));
    };
    const window = new ReleaseWindow(RELEASE_WIDTH, RELEASE_MOMENT_MS);
    for (const session of inOrderOfWaiting(ready)) {
      await window.enter();
      move(session);
      window.leaveAfter(session.untilIdle());
    }
    let turn = 0;
    for (const session of ready) {
      if (session.isHeld) move(session);
      if (++turn % IDLE_SESSIONS_A_TURN === 0) await nextTurn();
    }
    await Promise.all(slow);
  }

  one(session: Session): void {
    const waitedMs = session.release();
    if (waitedMs !== undefined) this.#surroundings.account.waits.add(waitedMs);
  }

  /** With an error that its client will understand. */
  end(session: Session, error: Parameters<Session['end']>[0], wasWaiting: boolean): void {
    const { account, totals } = this.#surroundings;
    if (wasWaiting) account.waits.failed += 1;
    totals.failedByProxy += 1;
    session.end(error);
  }

  #moveNow(session: Session, side: Side): void {
    if (session.isClosed) return;
    const { account, leaving, isPaused } = this.#surroundings;
    const { standby } = session;
    if (!session.isStarting && session.server?.side !== side) {
      if (standby === undefined) return;
      const old = session.moveTo(standby);
      account.waits.moved += 1;
      if (old !== undefined) leaving.add(old);
    }
    if (!isPaused()) this.one(session);
  }

  async #moveSlowly(session: Session, side: Side): Promise<void> {
    try {
      if (session.server?.side !== side) await this.#surroundings.mover.makeReady(session, side);
      this.#moveNow(session, side);
    } catch (error) {
      if (session.isClosed) return;
      const isWaiting = session.waitingSinceMs !== undefined || !session.isIdle;
      this.end(session, couldNotFollow(messageOf(error)), isWaiting);
    }
  }
}

/** In one pass: there may be ten thousand sessions, and all of them wait. */
function byReadiness(sessions: Iterable<Session>, isReady: (session: Session) => boolean) {
  const ready: Session[] = [];
  const unready: Session[] = [];
  for (const session of sessions) (isReady(session) ? ready : unready).push(session);
  return { ready, unready };
}

function inOrderOfWaiting(sessions: readonly Session[]): Session[] {
  const waiting = sessions.filter((session) => session.waitingSinceMs !== undefined);
  return waiting.sort((left, right) => (left.waitingSinceMs ?? 0) - (right.waitingSinceMs ?? 0));
}
