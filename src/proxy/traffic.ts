/** All sessions of a proxy and what is done to them together: prepare, pause, resume here or there. */

import { sleep, withDeadline } from '../base/async.ts';
import { rounded } from '../base/rounded.ts';
import { Waiters } from '../base/waiters.ts';
import type { Side } from '../domain/names.ts';
import { ClientError } from './client-error.ts';
import { ControlRefusal } from './control-refusal.ts';
import type * as Api from './control-types.ts';
import { Drain } from './drain.ts';
import { type Committing, Gate } from './gate.ts';
import { LeavingConnections } from './leaving-connections.ts';
import { LeftRunning } from './left-running.ts';
import type { Direction, Limits } from './options.ts';
import { PauseAccount } from './pause-account.ts';
import { CANNOT_TELL, NOT_KNOWN_YET, type Refusal } from './refusals.ts';
import { Release } from './release.ts';
import type { ServerConnection } from './server-connection.ts';
import type { Session } from './session.ts';
import type { SessionMover } from './session-mover.ts';
import { Standbys } from './standbys.ts';
import type { KeptDirection } from './state-file.ts';

export interface TrafficSurroundings {
  readonly limits: Limits;
  readonly mover: SessionMover;
  readonly askActiveSide: (silentMs: number) => Promise<Direction | undefined>;
  /** Called at every switch before the first session is served on the new side, and when a commit point is announced. */
  readonly saveDirection: (kept: KeptDirection) => void;
}

const ASK_TRUTH_EVERY_MS = 250;
export const ASK_TRUTH_TIMEOUT_MS = 5_000;

export class Traffic {
  readonly sessions = new Set<Session>();
  readonly gate: Gate;
  /** Sessions and requests of the past, and errors the proxy itself gave to clients. */
  readonly totals = { sessions: 0, endedRequests: 0, failedByProxy: 0 };
  readonly #surroundings: TrafficSurroundings;
  readonly #leaving = new LeavingConnections();
  readonly #leftRunning = new LeftRunning();
  readonly #account = new PauseAccount();
  readonly #standbys: Standbys;
  readonly #release: Release;
  readonly #drain: Drain;
  /** Undefined while nobody could say so since the start. */
  #direction: Direction | undefined;
  /** What new clients are told instead of being served. */
  #refusal: Refusal | undefined;
  readonly #opening = new Waiters();
  #resuming: Promise<Api.ResumeReply> | undefined;
  #isClosed = false;

  constructor(surroundings: TrafficSurroundings) {
    this.#surroundings = surroundings;
    this.gate = new Gate((owner, committing) => void this.#leaseEnded(owner, committing));
    const { mover, limits } = surroundings;
    const shared = {
      sessions: this.sessions,
      mover,
      leaving: this.#leaving,
      isPaused: () => this.gate.isClosed,
    };
    this.#standbys = new Standbys({ ...shared, timeoutMs: limits.standbyTimeoutMs });
    this.#release = new Release({ ...shared, account: this.#account, totals: this.totals });
    this.#drain = new Drain({ ...shared, standbys: this.#standbys, release: this.#release });
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
    this.#opening.wake();
  }

  /** The same of a switchover that was under way at the start. Who holds traffic by now says more than this. */
  async settled(direction: Direction): Promise<void> {
    const isNews = direction.epoch > (this.#direction?.epoch ?? -1);
    if (isNews && !this.gate.isClosed) await this.#inTurn(() => this.#resume(direction, []));
  }

  /** Refuses clients and asks on, until there is an answer or an owner of traffic has said so. */
  async refuseUntil(ask: (silentMs: number) => Promise<Direction | undefined>): Promise<void> {
    this.#refusal = NOT_KNOWN_YET;
    const startedMs = performance.now();
    while (this.#direction === undefined && !this.#isClosed) {
      await sleep(ASK_TRUTH_EVERY_MS);
      const direction = await ask(performance.now() - startedMs);
      if (direction !== undefined && this.#direction === undefined) this.decided(direction);
    }
  }

  /** Resolves when connections may be opened; rejects never. */
  async untilOpen(): Promise<void> {
    while (this.gate.isClosed && this.#refusal === undefined && !this.#isClosed) {
      await this.#opening.wait();
    }
  }

  /** A session that has just begun. */
  add(session: Session): void {
    this.sessions.add(session);
    this.totals.sessions += 1;
  }

  began(session: Session): void {
    if (this.gate.isClosed) session.hold();
    this.#standbys.prepareNew(session);
  }

  remove(session: Session): void {
    if (this.sessions.delete(session)) this.totals.endedRequests += session.requests;
  }

  /** Of a client that went without a word. */
  leftRunning(server: ServerConnection): void {
    this.#leftRunning.add(server);
    if (this.gate.isClosed) this.#leftRunning.cancel();
  }

  recordWait(waitMs: number): void {
    this.#account.waits.add(waitMs);
  }

  async prepare(request: Api.PrepareRequest): Promise<Api.PrepareReply> {
    if (request.to === this.#direction?.side) {
      throw new ControlRefusal(409, 'side_is_active', `Sessions are on the ${request.to} already`);
    }
    return await this.#standbys.prepare(request);
  }

  async pause({ owner, reason, leaseMs, drainTimeoutMs }: Api.PauseRequest): Promise<Api.PauseReply> {
    const startedMs = performance.now();
    const stuck = await this.#drain.stuck(drainTimeoutMs);
    // All others would wait that long, for nothing most likely.
    if (stuck.length > 0)
      return { drained: false, sessions: this.sessions.size, obstacles: stuck, drainMs: 0 };
    this.gate.hold(owner, reason, leaseMs);
    this.#leftRunning.cancel();
    this.#account.begin(startedMs);
    this.#standbys.stay();
    const obstacles = await this.#drain.all(startedMs + drainTimeoutMs);
    return {
      drained: obstacles.length === 0,
      sessions: this.sessions.size,
      obstacles,
      drainMs: rounded(performance.now() - startedMs),
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
      standby: this.#standbys.state(),
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#standbys.stay();
    this.gate.close();
    this.#opening.wake();
    this.#leaving.dismiss();
    for (const session of [...this.sessions]) {
      session.end({ code: '57P01', message: 'terminating connection: the proxy is shutting down' });
    }
  }

  // --- parts of resume

  async #resume({ side, epoch }: Direction, owners: readonly string[]): Promise<Api.ResumeReply> {
    const isSwitch = side !== this.#direction?.side;
    if (!isSwitch && !owners.some((owner) => this.gate.isHeldBy(owner)))
      return this.#account.last(this.gate.holds());
    this.#account.begin();
    this.#point({ side, epoch });
    this.#refusal = undefined;
    if (isSwitch) for (const session of this.sessions) session.hold();
    for (const owner of owners) this.gate.release(owner);
    if (!this.gate.isClosed) this.#opening.wake();
    await this.#release.all(side);
    if (!isSwitch || this.#standbys.side === side) this.#standbys.drop();
    this.#leaving.close();
    return this.#account.end(this.gate.holds());
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

  // --- the owner is silent

  async #leaseEnded(owner: string, committing: Committing | undefined): Promise<void> {
    const truth = committing === undefined ? this.#direction : await this.#askTruth(owner, committing);
    if (!this.gate.isExpired(owner)) return;
    // Nobody is served yet, so there is nothing to go on with.
    if (truth === undefined) {
      if (committing === undefined) this.gate.release(owner);
      return;
    }
    // Another one's resume may be under way: by its end the owner may have come back, and traffic be elsewhere.
    const goOn = async () => {
      if (!this.gate.isExpired(owner)) return this.#account.last(this.gate.holds());
      // The row is right, also where its epoch is lower than what is known here: a migration that began anew.
      return this.#resume(committing === undefined ? (this.#direction ?? truth) : truth, [owner]);
    };
    await this.#inTurn(goOn).catch(() => undefined);
  }

  /** The commit point may have been passed: only the migration row knows. Undefined when the owner came back meanwhile. */
  async #askTruth(owner: string, { refuseAfterMs }: Committing): Promise<Direction | undefined> {
    const startedMs = performance.now();
    while (this.gate.isExpired(owner) && !this.#isClosed) {
      const truth = await withDeadline(
        'the migration row',
        ASK_TRUTH_TIMEOUT_MS,
        this.#surroundings.askActiveSide(performance.now() - startedMs),
      ).catch(() => undefined);
      if (truth !== undefined) return truth;
      // Another may have resumed meanwhile.
      const isTooLong = performance.now() - startedMs >= refuseAfterMs;
      if (isTooLong && this.gate.isExpired(owner)) this.#refuse();
      await sleep(ASK_TRUTH_EVERY_MS);
    }
    return undefined;
  }

  #refuse(): void {
    this.#refusal = CANNOT_TELL;
    this.#opening.wake();
    for (const session of [...this.sessions]) {
      if (session.waitingSinceMs !== undefined) this.#release.end(session, CANNOT_TELL, true);
    }
  }
}

type State = Api.SessionSummary['state'];

function countStates(sessions: readonly Session[]): ReadonlyMap<State, number> {
  const counts = new Map<State, number>();
  for (const { state } of sessions) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

const leaseIsOver = (owner: string): ControlRefusal =>
  new ControlRefusal(
    409,
    'hold_missing',
    `"${owner}" holds no traffic: its lease has ended, or it never paused`,
  );
