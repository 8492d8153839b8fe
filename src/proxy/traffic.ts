/** All sessions of a proxy and what is done to them together: prepare, pause, resume here or there. */

import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DeadlineError, inParallel, sleep, withDeadline } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import type { Side } from '../domain/names.ts';
import type { ServerErrorFields } from '../wire/backend.ts';
import { ClientError } from './client-error.ts';
import { ControlRefusal } from './control-refusal.ts';
import type * as Api from './control-types.ts';
import { type Committing, Gate } from './gate.ts';
import { LeavingConnections } from './leaving-connections.ts';
import type { Direction, Limits } from './options.ts';
import { Pace } from './pace.ts';
import { ReleaseWindow } from './release-window.ts';
import type { Session } from './session.ts';
import type { SessionMover } from './session-mover.ts';
import type { KeptDirection } from './state-file.ts';
import { WaitStatistics } from './wait-statistics.ts';

export interface TrafficSurroundings {
  readonly limits: Limits;
  readonly mover: SessionMover;
  readonly askActiveSide: () => Promise<Direction | undefined>;
  /** Called at every switch before the first session is served on the new side, and when a commit point is announced. */
  readonly saveDirection: (kept: KeptDirection) => void;
}

/** What is left for several at once: sessions that were busy each time. Most of what they take is waiting. */
const IDLE_PASSES = 3;
const BUSY_WIDTH = 4;
const MOVE_WIDTH = 16;
/** How many requests are released at once on a server whose size we do not know: one is at work while another's client is. */
const RELEASE_WIDTH = 2 * availableParallelism();
const RELEASE_MOMENT_MS = 20;
const IDLE_SESSIONS_A_TURN = 64;
const ASK_TRUTH_EVERY_MS = 250;
export const ASK_TRUTH_TIMEOUT_MS = 5_000;

export class Traffic {
  readonly sessions = new Set<Session>();
  readonly gate: Gate;
  /** Sessions and requests of the past, and errors the proxy itself gave to clients. */
  readonly totals = { sessions: 0, endedRequests: 0, failedByProxy: 0 };
  readonly #surroundings: TrafficSurroundings;
  readonly #mover: SessionMover;
  /** Undefined while nobody could say so since the start. */
  #direction: Direction | undefined;
  #standbySide: Side | undefined;
  #standbyTimer: NodeJS.Timeout | undefined;
  #standbyFailures: string[] = [];
  #pausedSinceMs: number | undefined;
  #waits = new WaitStatistics();
  /** What new clients are told instead of being served. */
  #refusal: Refusal | undefined;
  #openWaiters: (() => void)[] = [];
  #resuming: Promise<Api.ResumeReply> | undefined;
  #lastReply: Api.ResumeReply = { waits: new WaitStatistics().summary(), pauseMs: 0 };
  readonly #leaving = new LeavingConnections();
  #isClosed = false;

  constructor(surroundings: TrafficSurroundings) {
    this.#surroundings = surroundings;
    this.#mover = surroundings.mover;
    this.gate = new Gate((owner, committing) => void this.#leaseEnded(owner, committing));
  }

  get direction(): Direction | undefined {
    return this.#direction;
  }

  /** @throws {ClientError} 57P03 while nobody can say where traffic belongs */
  servingSide(): Side {
    if (this.#refusal !== undefined) throw new ClientError(this.#refusal);
    if (this.#direction === undefined) throw new ClientError(NOT_KNOWN_YET);
    return this.#direction.side;
  }

  /** Where traffic belongs, at the proxy's start. */
  decided(direction: Direction): void {
    this.#point(direction);
    this.#refusal = undefined;
    this.#wakeWaiters();
  }

  /** Refuses clients and asks on, until there is an answer or an owner of traffic has said so. */
  async refuseUntil(ask: () => Promise<Direction | undefined>): Promise<void> {
    this.#refusal = NOT_KNOWN_YET;
    while (this.#direction === undefined && !this.#isClosed) {
      await sleep(ASK_TRUTH_EVERY_MS);
      const direction = await ask();
      if (direction !== undefined && this.#direction === undefined) this.decided(direction);
    }
  }

  /** Resolves when connections may be opened; rejects never. */
  async untilOpen(): Promise<void> {
    while (this.gate.isClosed && this.#refusal === undefined && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#openWaiters.push(resolve);
      });
    }
  }

  /** A session that has just begun. */
  add(session: Session): void {
    this.sessions.add(session);
    this.totals.sessions += 1;
  }

  began(session: Session): void {
    if (this.gate.isClosed) session.hold();
    const side = this.#standbySide;
    // Not warmed: a pause would wait for it.
    if (side !== undefined && side !== session.server?.side)
      void this.#prepareOne(session, side, 10_000, () => false);
  }

  remove(session: Session): void {
    if (this.sessions.delete(session)) this.totals.endedRequests += session.requests;
  }

  recordWait(waitMs: number): void {
    this.#waits.add(waitMs);
  }

  async prepare(request: Api.PrepareRequest): Promise<Api.PrepareReply> {
    if (request.to === this.#direction?.side) {
      throw new ControlRefusal(409, 'side_is_active', `Sessions are on the ${request.to} already`);
    }
    this.#standbySide = request.to;
    this.#standbyFailures = [];
    this.#mover.forgetCatalogs();
    clearTimeout(this.#standbyTimer);
    const until = performance.now() + request.timeoutMs;
    await this.#leaving.closeNow();
    // With thousands of sessions a connection for each comes first; the last of them go unwarmed.
    const isInTime = () => performance.now() < until - request.timeoutMs / 2;
    const unprepared = await this.#prepareAll(until, (session) =>
      this.#prepareOne(session, request.to, Math.max(1, until - performance.now()), isInTime),
    );
    if (unprepared > 0)
      this.#standbyFailures.push(
        `${unprepared} sessions could not be prepared within ${request.timeoutMs} ms`,
      );
    this.#expectUse();
    return {
      ready: this.#readyStandbys(),
      failures: this.#standbyFailures,
      obstacles:
        this.#mover.policy === 'refuse'
          ? [...this.sessions]
              .filter((session) => session.obstacle !== undefined)
              .map((session) => session.summary())
          : [],
    };
  }

  async pause(request: Api.PauseRequest): Promise<Api.PauseReply> {
    const startedMs = performance.now();
    await this.#knock();
    const stuck = this.#stuck(request.drainTimeoutMs);
    // All others would wait that long, for nothing most likely.
    if (stuck.length > 0)
      return { drained: false, sessions: this.sessions.size, obstacles: stuck, drainMs: 0 };
    this.gate.hold(request.owner, request.reason, request.leaseMs);
    this.#pausedSinceMs ??= startedMs;
    clearTimeout(this.#standbyTimer);
    const sessions = [...this.sessions];
    for (const session of sessions) session.hold();
    const deadlineMs = startedMs + request.drainTimeoutMs;
    const settled = Promise.all(sessions.map((session) => this.#drain(session, deadlineMs)));
    await withDeadline('draining', request.drainTimeoutMs, settled).catch((error: unknown) => {
      if (!(error instanceof DeadlineError)) throw error;
    });
    const obstacles = [...this.sessions].flatMap((session) => this.#undrained(session) ?? []);
    return {
      drained: obstacles.length === 0,
      sessions: this.sessions.size,
      obstacles,
      drainMs: Math.round((performance.now() - startedMs) * 100) / 100,
    };
  }

  renew(request: Api.RenewRequest): void {
    if (!this.gate.renew(request.owner, request.leaseMs)) throw leaseIsOver(request.owner);
  }

  committing(request: Api.CommittingRequest): void {
    // Said before the commit point, where there is a way back.
    this.#refuseOlder(request.to, request.epoch);
    if (!this.gate.committing(request.owner, request)) throw leaseIsOver(request.owner);
    // Should the proxy be killed now, what it knows is not to be trusted: only the row tells.
    if (this.#direction !== undefined)
      this.#surroundings.saveDirection({ ...this.#direction, isSwitching: true });
  }

  /** One at a time; a repeated request gets the answer of the first. */
  async resume(request: Api.ResumeRequest): Promise<Api.ResumeReply> {
    return await this.#inTurn(() => {
      this.#refuseOlder(request.side, request.epoch);
      const silent = request.isGivenUp ? [] : this.gate.expired();
      return this.#resume(request, [request.owner, ...silent]);
    });
  }

  async #inTurn(resume: () => Promise<Api.ResumeReply>): Promise<Api.ResumeReply> {
    while (this.#resuming !== undefined) await this.#resuming.catch(() => undefined);
    this.#resuming = resume();
    try {
      return await this.#resuming;
    } finally {
      this.#resuming = undefined;
    }
  }

  state(listen: string): Api.ProxyState {
    const sessions = [...this.sessions];
    const counts = countStates(sessions);
    const count = (...states: State[]) => states.reduce((sum, state) => sum + (counts.get(state) ?? 0), 0);
    const requests = sessions.reduce((sum, session) => sum + session.requests, this.totals.endedRequests);
    const ready = this.#readyStandbys();
    return {
      apiVersion: 1,
      pid: process.pid,
      activeSide: this.#direction?.side,
      epoch: this.#direction?.epoch ?? 0,
      listen,
      holds: this.gate.holds(),
      sessions: {
        total: sessions.length,
        idle: count('idle', 'starting'),
        inTransaction: count('in-transaction'),
        busy: count('busy', 'copying'),
        held: count('held'),
      },
      counters: { sessions: this.totals.sessions, requests, failedByProxy: this.totals.failedByProxy },
      standby:
        this.#standbySide === undefined
          ? undefined
          : {
              side: this.#standbySide,
              ready,
              missing: sessions.length - ready,
              failures: this.#standbyFailures,
            },
    };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#standbyTimer);
    this.gate.close();
    this.#wakeWaiters();
    this.#leaving.dismiss();
    for (const session of [...this.sessions]) {
      session.end({ code: '57P01', message: 'terminating connection: the proxy is shutting down' });
    }
  }

  // --- parts of prepare and pause

  /**
   * One after another: opening and warming connections takes processor time from the requests that are being served
   * meanwhile. Two at a time made those wait for longer, on two cores, than the pause itself. Only where that would last
   * too long (a server far away, thousands of sessions) they are done side by side.
   * @returns how many there was no time for
   */
  async #prepareAll(untilMs: number, prepare: (session: Session) => Promise<void>): Promise<number> {
    const pace = new Pace(untilMs);
    let left = [...this.sessions];
    for (let pass = 0; pass < IDLE_PASSES; pass++) {
      const busy: Session[] = [];
      while (left.length > 0) {
        if (pace.isOver) return left.length + busy.length;
        const some = left.splice(0, pace.width(left.length));
        const [idle, others] = divide(some, (session) => session.isIdle);
        busy.push(...others);
        await Promise.all(idle.map(prepare));
        pace.done(idle.length);
      }
      left = busy;
    }
    await inParallel(left, BUSY_WIDTH, prepare);
    return 0;
  }

  async #prepareOne(session: Session, side: Side, timeoutMs: number, isInTime = () => true): Promise<void> {
    try {
      await this.#mover.prepare(session, side, timeoutMs, isInTime);
      // The wish may have passed while the connection was being opened.
      if (this.#standbySide !== side)
        this.#mover.dropLost(session, this.#standbySide ?? session.server?.side ?? side);
    } catch (error) {
      // One that began in a former switch's preparation says nothing about this one.
      if (session.isClosed || this.#standbySide !== side) return;
      const reason = messageOf(error);
      const failure = `${session.client.user}@${session.client.database}: ${reason}`;
      if (!this.#standbyFailures.includes(failure) && this.#standbyFailures.length < 100)
        this.#standbyFailures.push(failure);
    }
  }

  /** From the end of a prepare on: with thousands of sessions it takes minutes. */
  #expectUse(): void {
    clearTimeout(this.#standbyTimer);
    this.#standbyTimer = setTimeout(() => {
      if (!this.gate.isClosed) this.#dropStandbys();
    }, this.#surroundings.limits.standbyTimeoutMs);
    this.#standbyTimer.unref();
  }

  #readyStandbys(): number {
    let ready = 0;
    for (const { standby } of this.sessions)
      if (standby !== undefined && !standby.connection.isClosed) ready += 1;
    return ready;
  }

  /** Waits for a held session's current request, and brings its standby up to date at once. */
  async #drain(session: Session, deadlineMs: number): Promise<void> {
    await session.untilIdle();
    if (session.isClosed || !session.isHeld) return;
    try {
      await this.#mover.settle(session, this.#standbySide);
      if (this.#mover.policy !== 'wait') return;
      while (session.obstacle !== undefined && (await this.#letWork(session, deadlineMs))) {
        await this.#mover.settle(session, this.#standbySide);
      }
    } catch (error) {
      session.standby?.connection.destroy();
      // The other side does not take it now. Here it can be served: that is for the owner of the pause to know.
      session.obstacle = messageOf(error);
    }
  }

  /**
   * One more request of a session that is to let go of what it holds, on the side where it is.
   * @returns false when there is nothing more to settle: it has ended, or the pause has
   */
  async #letWork(session: Session, deadlineMs: number): Promise<boolean> {
    const before = session.requests;
    const asked = session.untilNextRequest();
    this.#releaseOne(session);
    await Promise.race([asked, sleep(Math.max(0, deadlineMs - performance.now()))]);
    if (session.isClosed || !this.gate.isClosed) return false;
    session.hold();
    await session.untilIdle();
    return session.requests > before && !session.isClosed && session.isHeld;
  }

  /** Nobody is held yet: a client that has crashed is found out before others would wait for what it left running. */
  async #knock(): Promise<void> {
    const ended = [...this.sessions].filter(({ hasClientEnded }) => hasClientEnded);
    if (ended.length > 0) await Promise.all(ended.map((session) => session.knock()));
  }

  /** Who has been at one request or transaction for longer than all would be made to wait for it. */
  #stuck(drainTimeoutMs: number): Api.SessionSummary[] {
    return [...this.sessions].filter(({ busyMs }) => busyMs > drainTimeoutMs).map(busySummary);
  }

  #undrained(session: Session): Api.SessionSummary | undefined {
    if (session.isClosed) return undefined;
    if (!session.isStarting && !session.isIdle) return busySummary(session);
    const isMovable = session.obstacle === undefined || this.#mover.policy === 'terminate';
    return isMovable ? undefined : session.summary();
  }

  #dropStandbys(): void {
    this.#standbySide = undefined;
    for (const session of this.sessions) {
      if (session.standby === undefined) continue;
      this.#leaving.add(session.standby.connection);
      session.standby = undefined;
      session.obstacle = undefined;
    }
    this.#leaving.close();
  }

  // --- parts of resume

  async #resume({ side, epoch }: Direction, owners: readonly string[]): Promise<Api.ResumeReply> {
    const isSwitch = side !== this.#direction?.side;
    if (!isSwitch && !owners.some((owner) => this.gate.isHeldBy(owner)))
      return this.gate.isClosed ? { ...this.#lastReply, holds: this.gate.holds() } : this.#lastReply;
    this.#pausedSinceMs ??= performance.now();
    this.#point({ side, epoch });
    this.#refusal = undefined;
    if (isSwitch) for (const session of this.sessions) session.hold();
    for (const owner of owners) this.gate.release(owner);
    if (!this.gate.isClosed) this.#wakeWaiters();
    await this.#releaseAll(side);
    if (!isSwitch || this.#standbySide === side) this.#dropStandbys();
    this.#leaving.close();
    return this.#reply();
  }

  /** An owner that slept through a switch of another one must not take it back. */
  #refuseOlder(side: Side, epoch: number): void {
    const now = this.#direction;
    if (now === undefined || epoch > now.epoch || (epoch === now.epoch && side === now.side)) return;
    throw new ControlRefusal(
      409,
      'epoch_not_newer',
      `Traffic is on the ${now.side} since epoch ${now.epoch}; epoch ${epoch} is not newer`,
    );
  }

  #point(direction: Direction): void {
    this.#direction = direction;
    this.#surroundings.saveDirection({ ...direction, isSwitching: false });
  }

  #reply(): Api.ResumeReply {
    const sinceMs = this.#pausedSinceMs ?? performance.now();
    const reply = {
      waits: this.#waits.summary(),
      pauseMs: Math.round((performance.now() - sinceMs) * 100) / 100,
    };
    if (this.gate.isClosed) return { ...reply, holds: this.gate.holds() };
    this.#pausedSinceMs = undefined;
    this.#waits = new WaitStatistics();
    this.#lastReply = reply;
    return reply;
  }

  /** Sessions whose requests wait first, in the order of their waiting; then the idle ones; those that need a new connection meanwhile. */
  async #releaseAll(side: Side): Promise<void> {
    const all = [...this.sessions];
    const [ready, unready] = divide(all, (session) => this.#mover.isReady(session, side));
    const slow: Promise<unknown>[] = [
      inParallel(unready, MOVE_WIDTH, (session) => this.#moveSlowly(session, side)),
    ];
    // Its standby may have been lost while others had their turn.
    const move = (session: Session) => {
      if (this.#mover.isReady(session, side)) this.#moveNow(session, side);
      else slow.push(this.#moveSlowly(session, side));
    };
    const window = new ReleaseWindow(RELEASE_WIDTH, RELEASE_MOMENT_MS);
    const waiting = ready.filter((session) => session.waitingSinceMs !== undefined);
    waiting.sort((left, right) => (left.waitingSinceMs ?? 0) - (right.waitingSinceMs ?? 0));
    for (const session of waiting) {
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

  #moveNow(session: Session, side: Side): void {
    if (session.isClosed) return;
    const { standby } = session;
    if (!session.isStarting && session.server?.side !== side) {
      if (standby === undefined) return;
      const old = session.moveTo(standby);
      this.#waits.moved += 1;
      if (old !== undefined) this.#leaving.add(old);
    }
    if (!this.gate.isClosed) this.#releaseOne(session);
  }

  #releaseOne(session: Session): void {
    const waitedMs = session.release();
    if (waitedMs !== undefined) this.#waits.add(waitedMs);
  }

  async #moveSlowly(session: Session, side: Side): Promise<void> {
    try {
      if (session.server?.side !== side) await this.#mover.makeReady(session, side);
      this.#moveNow(session, side);
    } catch (error) {
      if (session.isClosed) return;
      const reason = messageOf(error);
      if (session.waitingSinceMs !== undefined || !session.isIdle) this.#waits.failed += 1;
      this.totals.failedByProxy += 1;
      session.end({
        code: '57P01',
        message: `terminating connection: the session could not follow the database to its new server: ${reason}`,
        hint: 'Connect again.',
      });
    }
  }

  #wakeWaiters(): void {
    const waiters = this.#openWaiters;
    this.#openWaiters = [];
    for (const resolve of waiters) resolve();
  }

  // --- the owner is silent

  async #leaseEnded(owner: string, committing: Committing | undefined): Promise<void> {
    const truth = committing === undefined ? this.#direction : await this.#askTruth(owner, committing);
    if (!this.gate.isExpired(owner)) return;
    // Nobody is served yet, so there is nothing to go on with.
    if (truth === undefined) {
      if (committing === undefined) this.gate.release(owner);
      return;
    }
    // The row is right, also where its epoch is lower than what is known here: a migration that began anew.
    await this.#inTurn(() => this.#resume(truth, [owner])).catch(() => undefined);
  }

  /** The commit point may have been passed: only the migration row knows. Undefined when the owner came back meanwhile. */
  async #askTruth(owner: string, { refuseAfterMs }: Committing): Promise<Direction | undefined> {
    const refuseAt = performance.now() + refuseAfterMs;
    while (this.gate.isExpired(owner) && !this.#isClosed) {
      const truth = await withDeadline(
        'the migration row',
        ASK_TRUTH_TIMEOUT_MS,
        this.#surroundings.askActiveSide(),
      ).catch(() => undefined);
      if (truth !== undefined) return truth;
      // Another may have resumed meanwhile.
      if (performance.now() >= refuseAt && this.gate.isExpired(owner)) this.#refuse();
      await sleep(ASK_TRUTH_EVERY_MS);
    }
    return undefined;
  }

  #refuse(): void {
    this.#refusal = CANNOT_TELL;
    this.#wakeWaiters();
    for (const session of [...this.sessions]) {
      if (session.waitingSinceMs === undefined) continue;
      this.#waits.failed += 1;
      this.totals.failedByProxy += 1;
      session.end(CANNOT_TELL);
    }
  }
}

type State = Api.SessionSummary['state'];

function countStates(sessions: readonly Session[]): ReadonlyMap<State, number> {
  const counts = new Map<State, number>();
  for (const { state } of sessions) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

/** In one pass: there may be ten thousand sessions, and all of them wait. */
function divide<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  const first: T[] = [];
  const others: T[] = [];
  for (const item of items) (isFirst(item) ? first : others).push(item);
  return [first, others];
}

type Refusal = Omit<ServerErrorFields, 'severity'>;

const NOT_KNOWN_YET: Refusal = {
  code: '57P03',
  message: 'the proxy does not know yet which server is the active one',
  hint: 'The target cannot be asked, and the proxy remembers nothing. Try again when the target server is there.',
};

const CANNOT_TELL: Refusal = {
  code: '57P03',
  message: 'the proxy cannot find out which server is the active one',
  hint: 'The switch was interrupted and the migration row cannot be read. Try again when the target server is back.',
};

const leaseIsOver = (owner: string): ControlRefusal =>
  new ControlRefusal(
    409,
    'hold_missing',
    `"${owner}" holds no traffic: its lease has ended, or it never paused`,
  );

function busySummary(session: Session): Api.SessionSummary {
  const summary = session.summary();
  return { ...summary, obstacle: describeBusy(summary.state) };
}

function describeBusy(state: Api.SessionSummary['state']): string {
  if (state === 'copying') return 'a COPY is running';
  return state === 'in-transaction' ? 'a transaction is open' : 'a request is running';
}
