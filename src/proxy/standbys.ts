/** The sessions' connections on the other side: opened, warmed and kept for the switch that is to come, and dropped when none comes. */

import { inParallel } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import type { Side } from '../domain/names.ts';
import type * as Api from './control-types.ts';
import type { LeavingConnections } from './leaving-connections.ts';
import { Pace } from './pace.ts';
import type { Session } from './session.ts';
import type { SessionMover } from './session-mover.ts';

export interface StandbysSurroundings {
  readonly sessions: ReadonlySet<Session>;
  readonly mover: SessionMover;
  readonly leaving: LeavingConnections;
  /** After which nobody expects a switch any more. */
  readonly timeoutMs: number;
  readonly isPaused: () => boolean;
}

/** What is left for several at once: sessions that were busy each time. Most of what they take is waiting. */
const IDLE_PASSES = 3;
const BUSY_WIDTH = 4;
const NEW_SESSION_TIMEOUT_MS = 10_000;
const MAX_FAILURES = 100;

export class Standbys {
  readonly #surroundings: StandbysSurroundings;
  #side: Side | undefined;
  #failures: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(surroundings: StandbysSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Where they are; undefined when no switch is expected. */
  get side(): Side | undefined {
    return this.#side;
  }

  async prepare({ to, timeoutMs }: Api.PrepareRequest): Promise<Api.PrepareReply> {
    const { mover, leaving } = this.#surroundings;
    this.#side = to;
    this.#failures = [];
    mover.forgetCatalogs();
    this.stay();
    const until = performance.now() + timeoutMs;
    await leaving.closeNow();
    // With thousands of sessions a connection for each comes first; the last of them go unwarmed.
    const isInTime = () => performance.now() < until - timeoutMs / 2;
    const unprepared = await this.#prepareAll(until, (session) =>
      this.#prepareOne(session, to, Math.max(1, until - performance.now()), isInTime),
    );
    if (unprepared > 0)
      this.#failures.push(`${unprepared} sessions could not be prepared within ${timeoutMs} ms`);
    this.#expectUse();
    return { ready: this.#ready(), failures: this.#failures, obstacles: this.#obstacles() };
  }

  /** For a session that has just begun. */
  prepareNew(session: Session): void {
    const side = this.#side;
    if (side === undefined || side === session.server?.side) return;
    // Not warmed: a pause would wait for it.
    void this.#prepareOne(session, side, NEW_SESSION_TIMEOUT_MS, () => false);
  }

  /** They are needed now, or will be. */
  stay(): void {
    clearTimeout(this.#timer);
  }

  drop(): void {
    const { sessions, leaving } = this.#surroundings;
    this.#side = undefined;
    for (const session of sessions) {
      if (session.standby === undefined) continue;
      leaving.add(session.standby.connection);
      session.standby = undefined;
      session.obstacle = undefined;
    }
    leaving.close();
  }

  state(): Api.ProxyState['standby'] {
    if (this.#side === undefined) return undefined;
    const ready = this.#ready();
    const missing = this.#surroundings.sessions.size - ready;
    return { side: this.#side, ready, missing, failures: this.#failures };
  }

  /**
   * One after another: opening and warming connections takes processor time from the requests that are being served
   * meanwhile. Two at a time made those wait for longer, on two cores, than the pause itself. Only where that would last
   * too long (a server far away, thousands of sessions) they are done side by side.
   * @returns how many there was no time for
   */
  async #prepareAll(untilMs: number, prepare: (session: Session) => Promise<void>): Promise<number> {
    const pace = new Pace(untilMs);
    let left = [...this.#surroundings.sessions];
    for (let pass = 0; pass < IDLE_PASSES; pass++) {
      const busy: Session[] = [];
      while (left.length > 0) {
        if (pace.isOver) return left.length + busy.length;
        const some = left.splice(0, pace.width(left.length));
        const idle = some.filter((session) => session.isIdle);
        busy.push(...some.filter((session) => !session.isIdle));
        await Promise.all(idle.map(prepare));
        pace.done(idle.length);
      }
      left = busy;
    }
    await inParallel(left, BUSY_WIDTH, prepare);
    return 0;
  }

  async #prepareOne(session: Session, side: Side, timeoutMs: number, isInTime: () => boolean): Promise<void> {
    const { mover } = this.#surroundings;
    try {
      await mover.prepare(session, side, timeoutMs, isInTime);
      // The wish may have passed while the connection was being opened.
      if (this.#side !== side) mover.dropLost(session, this.#side ?? session.server?.side ?? side);
    } catch (error) {
      // One that began in a former switch's preparation says nothing about this one.
      if (session.isClosed || this.#side !== side) return;
      const { user, database } = session.client;
      const failure = `${user}@${database}: ${messageOf(error)}`;
      const isNew = !this.#failures.includes(failure) && this.#failures.length < MAX_FAILURES;
      if (isNew) this.#failures.push(failure);
    }
  }

  /** From the end of a prepare on: with thousands of sessions it takes minutes. */
  #expectUse(): void {
    const { timeoutMs, isPaused } = this.#surroundings;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!isPaused()) this.drop();
    }, timeoutMs);
    this.#timer.unref();
  }

  #ready(): number {
    let ready = 0;
    for (const { standby } of this.#surroundings.sessions)
      if (standby !== undefined && !standby.connection.isClosed) ready += 1;
    return ready;
  }

  #obstacles(): Api.SessionSummary[] {
    const { sessions, mover } = this.#surroundings;
    if (mover.policy !== 'refuse') return [];
    return [...sessions].flatMap((session) => (session.obstacle === undefined ? [] : [session.summary()]));
  }
}
