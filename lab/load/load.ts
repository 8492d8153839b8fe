/**
 * A constant rate of requests, whatever the answers do. The n-th request is due n/rate seconds after the start,
 * and its latency counts from then: a stall is seen by every request that should have been made in it.
 * Nothing is ever repeated.
 */

import { HttpClient } from './http-client.ts';
import { summarize, type WindowStats } from './latency.ts';
import { LedgerWriter, type Outcome, succeeded } from './ledger.ts';
import { type Catalog, type PlannedRequest, requestId, runName, Workload } from './workload.ts';

export interface LoadOptions {
  /** Of the application, as http://127.0.0.1:8080. */
  readonly url: string;
  /** Requests a second. */
  readonly rate: number;
  /** Overwritten. */
  readonly ledgerPath: string;
  /** Makes the requests, their ids and the ledger's key. */
  readonly seed: string;
  /** 0 to 1; 0.7 when omitted. */
  readonly readShare?: number;
  /** Requests of this first time are marked as warm-up; 0 when omitted. */
  readonly warmupMs?: number;
  /** Without an answer for so long a request has failed; 30 s when omitted. */
  readonly requestTimeoutMs?: number;
}

interface LoadStats {
  readonly sent: number;
  readonly done: number;
  readonly failed: number;
  readonly outstanding: number;
  readonly longestMs: number;
}

export interface RunningLoad extends AsyncDisposable {
  readonly startedAtMs: number;
  stats(): LoadStats;
  /** Of finished requests scheduled in [fromMs, toMs), in ms since 1970. Keeps the last 10 minutes. */
  percentiles(fromMs: number, toMs: number): WindowStats;
  /** Sends no more, waits for what is under way, closes the ledger. */
  stop(): Promise<LoadStats>;
}

/** Rejects when the application does not answer its first question. */
export async function startLoad(options: LoadOptions): Promise<RunningLoad> {
  const catalog = await fetchCatalog(options.url);
  return new Load(options, catalog);
}

const REMEMBERED_MS = 600_000;

class Load implements RunningLoad {
  readonly startedAtMs: number;
  readonly #options: LoadOptions;
  readonly #workload: Workload;
  readonly #ledger: LedgerWriter;
  readonly #run: string;
  readonly #client: HttpClient;
  readonly #started: number;
  readonly #recent: Outcome[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sealing: NodeJS.Timeout;
  #sent = 0;
  #done = 0;
  #failed = 0;
  #longestMs = 0;
  #stopping: Promise<LoadStats> | undefined;
  #idle: (() => void) | undefined;

  constructor(options: LoadOptions, catalog: Catalog) {
    const { seed, rate, readShare = 0.7, warmupMs = 0 } = options;
    this.#options = options;
    this.#client = new HttpClient(new URL(options.url), options.requestTimeoutMs ?? 30_000);
    this.#workload = new Workload({ seed, readShare, catalog });
    this.#run = runName(seed);
    this.#started = performance.now();
    this.startedAtMs = performance.timeOrigin + this.#started;
    this.#ledger = new LedgerWriter(options.ledgerPath, seed, {
      ledger: 1,
      run: this.#run,
      startedAtMs: this.startedAtMs,
      rate,
      readShare,
      warmupMs,
    });
    this.#sealing = setInterval(() => this.#ledger.seal(this.#second(), this.#sent), 1_000);
    this.#tick();
  }

  stats(): LoadStats {
    return {
      sent: this.#sent,
      done: this.#done,
      failed: this.#failed,
      outstanding: this.#sent - this.#done,
      longestMs: this.#longestMs,
    };
  }

  percentiles(fromMs: number, toMs: number): WindowStats {
    const [from, to] = [fromMs - this.startedAtMs, toMs - this.startedAtMs];
    const inWindow: Outcome[] = [];
    for (let index = this.#recent.length - 1; index >= 0; index--) {
      const outcome = this.#recent[index];
      // They stand in the order in which they finished: what finished before the window was scheduled before it.
      if (outcome === undefined || outcome.atMs + outcome.latencyMs < from) break;
      if (outcome.atMs >= from && outcome.atMs < to) inWindow.push(outcome);
    }
    return summarize(inWindow);
  }

  stop(): Promise<LoadStats> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  async #end(): Promise<LoadStats> {
    clearTimeout(this.#timer);
    if (this.#done < this.#sent) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    clearInterval(this.#sealing);
    this.#ledger.close(this.#second(), this.#sent);
    this.#client.close();
    return this.stats();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #second = (): number => Math.floor((performance.now() - this.#started) / 1_000);

  #dueMs = (n: number): number => (n * 1_000) / this.#options.rate;

  /** Sends what is due. A late tick sends all that it missed, and their latencies tell. */
  #tick(): void {
    const elapsed = performance.now() - this.#started;
    while (this.#dueMs(this.#sent) <= elapsed) this.#send(this.#sent++);
    const wait = this.#dueMs(this.#sent) - (performance.now() - this.#started);
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, wait));
  }

  #send(n: number): void {
    const planned = this.#workload.plan(n);
    const id = planned.body === undefined ? undefined : requestId(this.#options.seed, this.#run, n);
    const { method, path, body } = planned;
    this.#client.send({ method, path, body, requestId: id }, (status, answer, error) =>
      this.#finish(n, planned, id, status, answer, error),
    );
  }

  #finish(
    n: number,
    { kind }: PlannedRequest,
    id: string | undefined,
    status: number,
    answer: string,
    error: string | undefined,
  ): void {
    const atMs = this.#dueMs(n);
    const outcome: Outcome = {
      n,
      atMs: round(atMs),
      latencyMs: round(performance.now() - this.#started - atMs),
      status,
      kind,
      ...(id === undefined ? {} : { requestId: id }),
      ...(error === undefined ? {} : { error }),
      ...(atMs < (this.#options.warmupMs ?? 0) ? { warmup: true } : {}),
    };
    this.#ledger.append(outcome);
    this.#remember(outcome);
    if (kind === 'place-order' && succeeded(outcome)) this.#workload.orderPlaced(JSON.parse(answer).orderId);
    if (this.#done === this.#sent) this.#idle?.();
  }

  #remember(outcome: Outcome): void {
    this.#done += 1;
    if (!succeeded(outcome)) this.#failed += 1;
    this.#longestMs = Math.max(this.#longestMs, outcome.latencyMs);
    this.#recent.push(outcome);
    const limit = (this.#options.rate * REMEMBERED_MS) / 1_000;
    if (this.#recent.length > 2 * limit) this.#recent.splice(0, this.#recent.length - limit);
  }
}

const round = (ms: number): number => Math.round(ms * 100) / 100;

async function fetchCatalog(url: string): Promise<Catalog> {
  const response = await fetch(new URL('/catalog', url));
  if (!response.ok) throw new Error(`The application at ${url} answers ${response.status} to /catalog`);
  return (await response.json()) as Catalog;
}
