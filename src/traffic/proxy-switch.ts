/** The TrafficSwitch over pgglide's own proxies: all of them do a thing, or none does. */

import { sleep } from '../base/async.ts';
import { UnprovenError, UnreachableError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { TrafficRequests } from '../domain/traffic-requests.ts';
import { mergeWaits } from '../domain/traffic-waits.ts';
import type {
  Hold,
  PauseReply,
  PrepareReply,
  ProxyIdentity,
  ProxyState,
  ResumeReply,
  SessionSummary,
} from '../proxy/control-types.ts';
import { type ControlAccess, ControlClient } from './control-client.ts';
import { type ExpectedIdentity, strayIdentity } from './stray-identity.ts';
import type { Obstacle, TrafficState, TrafficSwitch } from './traffic-switch.ts';

/** A thousand sessions take twenty seconds on two cores that do nothing else. */
const PREPARE_TIMEOUT_MS = 180_000;
const RESUME_TIMEOUT_MS = 30_000;
const SHORT_TIMEOUT_MS = 1_000;
/** The proxy itself waits for its servers for less. */
const IDENTITY_TIMEOUT_MS = 3_000;
/** Timers of the proxy's end later than they were set. */
const LEASE_MARGIN_MS = 50;
/** Longer than the lease of any pgglide (pause-traffic.ts); who holds for longer is somebody else. */
const MAX_FOREIGN_LEASE_MS = 4_000;
/** After the commit point: how long requests go on waiting for a migration row that cannot be read. */
const REFUSE_AFTER_MS = 30_000;

/** `controls`: `unix:PATH`, `http://HOST:PORT` or `https://HOST:PORT`, one a proxy. `owner` names this runner in the proxies' holds; proxies that are not of `expected` are not used. */
export function openProxySwitch(
  controls: readonly string[],
  owner: string,
  access: ControlAccess = {},
  expected?: ExpectedIdentity,
): TrafficSwitch {
  return new ProxySwitch(
    controls.map((address) => new ControlClient(address, access)),
    owner,
    expected,
  );
}

class ProxySwitch implements TrafficSwitch {
  readonly #proxies: readonly ControlClient[];
  readonly #owner: string;
  readonly #expected: ExpectedIdentity | undefined;
  #isOwn = false;
  /** Should that word not arrive, the lease is to end the pause: nobody is to wait any longer for us. */
  #isToldToGoOn = false;

  constructor(proxies: readonly ControlClient[], owner: string, expected: ExpectedIdentity | undefined) {
    this.#proxies = proxies;
    this.#owner = owner;
    this.#expected = expected;
  }

  /** @throws {UnprovenError} `no_proxy`, `proxies_disagree`, `proxy_undecided`, `proxy_elsewhere` */
  async observe(): Promise<TrafficState> {
    await this.#requireOwn();
    const states = await this.#all((proxy) => proxy.call<ProxyState>('GET', '/v1/state', SHORT_TIMEOUT_MS));
    const [first] = states;
    if (first === undefined) throw new UnprovenError('no_proxy', 'No proxy is configured');
    const divided = states.find((state) => state.activeSide !== first.activeSide);
    if (divided !== undefined) {
      throw new UnprovenError('proxies_disagree', 'Some proxies serve the source and some the target', {
        hint: 'Run the last command again: it makes all proxies follow the migration row.',
        facts: Object.fromEntries(
          states.map((state, index) => [this.#proxies[index]?.address ?? index, state.activeSide]),
        ),
      });
    }
    if (first.activeSide === undefined) {
      throw new UnprovenError(
        'proxy_undecided',
        'No proxy knows yet which side is active: they serve nobody',
        {
          hint: 'Proxies read the migration row on the target. See why they cannot, or start them with --assume.',
        },
      );
    }
    const sessions = states.reduce((sum, state) => sum + state.sessions.total, 0);
    return {
      activeSide: first.activeSide,
      epoch: Math.max(...states.map((state) => state.epoch)),
      paused: states.some((state) => state.holds.length > 0),
      sessions,
      requests: requestsOf(states),
      description: `proxy ${this.#proxies.map((proxy) => proxy.address).join(', ')} ${sessions} sessions`,
    };
  }

  async prepare(to: Side) {
    const body = { owner: this.#owner, to, timeoutMs: PREPARE_TIMEOUT_MS };
    const replies = await this.#all((proxy) =>
      proxy.call<PrepareReply>('POST', '/v1/prepare', PREPARE_TIMEOUT_MS, body),
    );
    return {
      ready: replies.reduce((sum, reply) => sum + reply.ready, 0),
      failures: replies.flatMap((reply) => reply.failures),
      obstacles: replies.flatMap((reply) => reply.obstacles.map(obstacle)),
    };
  }

  /** When one proxy cannot be paused the others are let go before the error is thrown. */
  async pause(options: {
    readonly reason: string;
    readonly leaseMs: number;
    readonly drainTimeoutMs: number;
  }) {
    this.#isToldToGoOn = false;
    const body = { owner: this.#owner, ...options };
    const outcomes = await Promise.allSettled(
      this.#proxies.map((proxy) => proxy.call<PauseReply>('POST', '/v1/pause', options.drainTimeoutMs, body)),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) {
      await this.#letGo();
      throw failed.reason;
    }
    const replies = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    return {
      drained: replies.every((reply) => reply.drained),
      obstacles: replies.flatMap((reply) => reply.obstacles.map(obstacle)),
    };
  }

  async renew(leaseMs: number): Promise<void> {
    if (this.#isToldToGoOn) return;
    await this.#all((proxy) =>
      proxy.call('POST', '/v1/renew', SHORT_TIMEOUT_MS, { owner: this.#owner, leaseMs }),
    );
  }

  async committing(to: Side, epoch: number): Promise<void> {
    const body = { owner: this.#owner, to, epoch, refuseAfterMs: REFUSE_AFTER_MS };
    await this.#all((proxy) => proxy.call('POST', '/v1/committing', SHORT_TIMEOUT_MS, body));
  }

  /** One that goes on with what another run began has not observed: it must not move the clients of a strange proxy. */
  async resume(side: Side, epoch: number) {
    this.#isToldToGoOn = true;
    if (!this.#isOwn) await this.#requireOwn();
    let replies = await this.#askResume(side, epoch);
    // A tool that was killed just now has its lease; once that is over its hold ends with the next word.
    const leasesMs = holdsOf(replies).map(({ leaseRemainingMs }) => leaseRemainingMs);
    // Also one of 0 ms: its timer is about to end it.
    if (leasesMs.length > 0) {
      const leaseMs = Math.max(...leasesMs);
      await sleep(Math.min(leaseMs + LEASE_MARGIN_MS, MAX_FOREIGN_LEASE_MS));
      replies = await this.#askResume(side, epoch);
    }
    const holders = [...new Set(holdsOf(replies).map(({ owner }) => owner))];
    if (holders.length > 0) {
      throw new UnreachableError(
        'traffic_still_held',
        `Requests are still held on the ${side}, by ${holders.join(', ')}`,
        {
          hint: 'End that process, then run the same command again.',
          facts: { holders: holders.join(', ') },
        },
      );
    }
    return {
      waits: mergeWaits(replies.map((reply) => reply.waits)),
      pauseMs: Math.max(...replies.map((reply) => reply.pauseMs)),
    };
  }

  #askResume(side: Side, epoch: number): Promise<ResumeReply[]> {
    const body = { owner: this.#owner, side, epoch };
    return this.#all((proxy) => proxy.call<ResumeReply>('POST', '/v1/resume', RESUME_TIMEOUT_MS, body));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.#proxies) proxy.close();
  }

  /** Every proxy is asked, also when one fails; then the first failure is thrown. */
  async #all<T>(ask: (proxy: ControlClient) => Promise<T>): Promise<T[]> {
    const outcomes = await Promise.allSettled(this.#proxies.map(ask));
    return outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
  }

  /** A proxy that does not tell whose traffic it has (an older one, or its server is down) is taken for ours, as ever. */
  async #requireOwn(): Promise<void> {
    const expected = this.#expected;
    if (expected === undefined) return;
    await this.#all(async (proxy) => {
      const identity = await proxy
        .call<Partial<ProxyIdentity>>('GET', '/v1/identity', IDENTITY_TIMEOUT_MS)
        .catch(() => undefined);
      const stray = strayIdentity(identity ?? {}, expected);
      if (stray === undefined) return;
      throw new UnprovenError('proxy_elsewhere', `The proxy at ${proxy.address} ${stray}`, {
        hint: 'Name the proxy that the application of this migration connects to (traffic.proxies), or start that one again with this configuration.',
        facts: { control: proxy.address },
      });
    });
    this.#isOwn = true;
  }

  async #letGo(): Promise<void> {
    await Promise.allSettled(
      this.#proxies.map(async (proxy) => {
        const { activeSide, epoch } = await proxy.call<ProxyState>('GET', '/v1/state', SHORT_TIMEOUT_MS);
        if (activeSide === undefined) return;
        await proxy.call('POST', '/v1/resume', RESUME_TIMEOUT_MS, {
          owner: this.#owner,
          side: activeSide,
          epoch,
          isGivenUp: true,
        });
      }),
    );
  }
}

const holdsOf = (replies: readonly ResumeReply[]): readonly Hold[] =>
  replies.flatMap(({ holds }) => holds ?? []);

function requestsOf(states: readonly ProxyState[]): TrafficRequests {
  const sum = (pick: (state: ProxyState) => number) =>
    states.reduce((total, state) => total + pick(state), 0);
  return {
    total: sum(({ counters }) => counters.requests),
    failed: sum(({ counters }) => counters.failedByProxy),
    heldNow: sum(({ sessions }) => sessions.held),
  };
}

const obstacle = (session: SessionSummary): Obstacle => ({
  pid: session.backendPid,
  user: session.user,
  what: session.obstacle ?? session.state,
  query: session.query,
});
