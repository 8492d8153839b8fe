/** Waits until every session is between two requests, outside of a transaction, and could go on on the other side. */

import { DeadlineError, sleep, withDeadline } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import type { SessionSummary } from './control-types.ts';
import type { Release } from './release.ts';
import type { Session } from './session.ts';
import type { SessionMover } from './session-mover.ts';
import type { Standbys } from './standbys.ts';

export interface DrainSurroundings {
  readonly sessions: ReadonlySet<Session>;
  readonly mover: SessionMover;
  readonly standbys: Standbys;
  readonly release: Release;
  readonly isPaused: () => boolean;
}

export class Drain {
  readonly #surroundings: DrainSurroundings;

  constructor(surroundings: DrainSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Who has been at one request or transaction for longer than all would be made to wait for it. Nobody is held yet. */
  async stuck(drainTimeoutMs: number): Promise<SessionSummary[]> {
    const { sessions } = this.#surroundings;
    // A client that has crashed is found out before others would wait for what it left running.
    const ended = [...sessions].filter(({ hasClientEnded }) => hasClientEnded);
    if (ended.length > 0) await Promise.all(ended.map((session) => session.knock()));
    return [...sessions]
      .filter(({ busyMs }) => busyMs > drainTimeoutMs)
      .map((session) => busySummary(session));
  }

  /** @returns who has not drained in time, or cannot be moved */
  async all(deadlineMs: number): Promise<SessionSummary[]> {
    const sessions = [...this.#surroundings.sessions];
    for (const session of sessions) session.hold();
    const drained = Promise.all(sessions.map((session) => this.#one(session, deadlineMs)));
    await withDeadline('draining', deadlineMs - performance.now(), drained).catch((error: unknown) => {
      if (!(error instanceof DeadlineError)) throw error;
    });
    return [...this.#surroundings.sessions].flatMap((session) => this.#obstacleOf(session) ?? []);
  }

  /** Waits for a held session's current request, and brings its standby up to date at once. */
  async #one(session: Session, deadlineMs: number): Promise<void> {
    const { mover } = this.#surroundings;
    await session.untilIdle();
    if (session.isClosed || !session.isHeld) return;
    try {
      await this.#settle(session);
      if (mover.policy !== 'wait') return;
      while (session.obstacle !== undefined && (await this.#letWork(session, deadlineMs))) {
        await this.#settle(session);
      }
    } catch (error) {
      session.standby?.connection.destroy();
      // The other side does not take it now. Here it can be served: that is for the owner of the pause to know.
      session.obstacle = messageOf(error);
    }
  }

  async #settle(session: Session): Promise<void> {
    const { mover, standbys } = this.#surroundings;
    const { side } = standbys;
    await mover.settle(session, side);
    // The wish may have passed with the pause, while a connection was being opened.
    const wanted = standbys.side ?? session.server?.side;
    if (standbys.side !== side && wanted !== undefined) mover.dropLost(session, wanted);
  }

  /**
   * One more request of a session that is to let go of what it holds, on the side where it is.
   * @returns false when there is nothing more to settle: it has ended, or the pause has
   */
  async #letWork(session: Session, deadlineMs: number): Promise<boolean> {
    const { release, isPaused } = this.#surroundings;
    const before = session.requests;
    const asked = session.untilNextRequest();
    release.one(session);
    await Promise.race([asked, sleep(Math.max(0, deadlineMs - performance.now()))]);
    if (session.isClosed || !isPaused()) return false;
    session.hold();
    await session.untilIdle();
    return session.requests > before && !session.isClosed && session.isHeld;
  }

  #obstacleOf(session: Session): SessionSummary | undefined {
    if (session.isClosed) return undefined;
    if (!session.isStarting && !session.isIdle) return busySummary(session);
    const isMovable = session.obstacle === undefined || this.#surroundings.mover.policy === 'terminate';
    return isMovable ? undefined : session.summary();
  }
}

function busySummary(session: Session): SessionSummary {
  const summary = session.summary();
  return { ...summary, obstacle: describeBusy(summary.state) };
}

function describeBusy(state: SessionSummary['state']): string {
  if (state === 'copying') return 'a COPY is running';
  return state === 'in-transaction' ? 'a transaction is open' : 'a request is running';
}
