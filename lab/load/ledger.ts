/**
 * The witness of a run: a file with one JSON line for each request's outcome, closed every second by a line
 * whose hash covers all lines before it. Nothing can be taken out or changed later without breaking the chain.
 */

import { createHmac } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { RequestKind } from './workload.ts';

export interface LedgerHeader {
  readonly ledger: 1;
  readonly run: string;
  /** Of the first request's schedule, in ms since 1970. */
  readonly startedAtMs: number;
  /** Requests a second. */
  readonly rate: number;
  readonly readShare: number;
  /** Requests scheduled earlier than this after the start are marked as warm-up. */
  readonly warmupMs: number;
}

export interface Outcome {
  readonly n: number;
  /** Scheduled, in ms after the start. */
  readonly atMs: number;
  /** From the scheduled time to the whole answer. */
  readonly latencyMs: number;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly kind: RequestKind;
  /** Of writes only. */
  readonly requestId?: string;
  /** Why there was no answer. */
  readonly error?: string;
  readonly warmup?: true;
}

export const succeeded = (outcome: Outcome): boolean => outcome.status >= 200 && outcome.status < 300;

/** All but the warm-up's. */
export const measured = (outcomes: readonly Outcome[]): Outcome[] =>
  outcomes.filter((outcome) => outcome.warmup !== true);

interface Seal {
  /** Seconds since the start that this line closes; the last one is marked as the end. */
  readonly second: number;
  readonly outcomes: number;
  readonly end?: true;
  /** Requests sent so far. */
  readonly sent: number;
  readonly chain: string;
}

const link = (key: string, previous: string, lines: string): string =>
  createHmac('sha256', key).update(previous).update(lines).digest('hex');

/** Lines are written at most every 100 ms: one system call for fifty outcomes. */
const FLUSH_INTERVAL_MS = 100;

export class LedgerWriter {
  readonly #file: number;
  readonly #key: string;
  readonly #flushing: NodeJS.Timeout;
  #unwritten = '';
  /** Since the last seal. */
  #unsealed = '';
  #unsealedOutcomes = 0;
  #chain = '';

  /** @param key of the chain: who does not know it cannot forge a ledger. */
  constructor(path: string, key: string, header: LedgerHeader) {
    this.#file = openSync(path, 'w', 0o600);
    this.#key = key;
    this.#line(JSON.stringify(header));
    this.flush();
    this.#flushing = setInterval(() => this.flush(), FLUSH_INTERVAL_MS);
  }

  append(outcome: Outcome): void {
    this.#line(JSON.stringify(outcome));
    this.#unsealedOutcomes += 1;
  }

  /** Closes a second. */
  seal(second: number, sent: number, end = false): void {
    this.#chain = link(this.#key, this.#chain, this.#unsealed);
    const seal: Seal = {
      second,
      outcomes: this.#unsealedOutcomes,
      ...(end ? { end: true } : {}),
      sent,
      chain: this.#chain,
    };
    this.#unsealed = '';
    this.#unsealedOutcomes = 0;
    this.#unwritten += `${JSON.stringify(seal)}\n`;
  }

  close(second: number, sent: number): void {
    clearInterval(this.#flushing);
    this.seal(second, sent, true);
    this.flush();
    closeSync(this.#file);
  }

  flush(): void {
    if (this.#unwritten === '') return;
    writeSync(this.#file, this.#unwritten);
    this.#unwritten = '';
  }

  #line(text: string): void {
    this.#unsealed += `${text}\n`;
    this.#unwritten += `${text}\n`;
  }
}

export interface Ledger {
  readonly header: LedgerHeader;
  readonly outcomes: readonly Outcome[];
  /** Requests sent up to the last seal. */
  readonly sent: number;
  /** The load ended in order: there is no request without an outcome. */
  readonly closed: boolean;
  /** Undefined: every sealed line is as it was written. */
  readonly broken: string | undefined;
}

/** A line that is not JSON is taken for cut off (the load was killed) when it is the last one. */
export async function readLedger(path: string, key: string): Promise<Ledger> {
  const reading = new LedgerReading(key);
  for await (const line of createInterface({ input: createReadStream(path) })) reading.line(line);
  return reading.finish();
}

class LedgerReading {
  readonly #key: string;
  readonly #outcomes: Outcome[] = [];
  #header: LedgerHeader | undefined;
  #lineNumber = 0;
  #unsealed = '';
  #unsealedOutcomes = 0;
  #chain = '';
  #sent = 0;
  #closed = false;
  #broken: string | undefined;
  #unreadable: number | undefined;

  constructor(key: string) {
    this.#key = key;
  }

  line(text: string): void {
    this.#lineNumber += 1;
    if (this.#closed) this.#fault('goes on after its end');
    if (this.#unreadable !== undefined) this.#fault('is not JSON', this.#unreadable);
    const record = parse(text);
    if (record === undefined) this.#unreadable = this.#lineNumber;
    else if ('chain' in record) this.#seal(record);
    else this.#record(text, record);
  }

  finish(): Ledger {
    if (this.#header === undefined) throw new Error('Not a ledger: it has no first line');
    return {
      header: this.#header,
      outcomes: this.#outcomes,
      sent: this.#sent,
      closed: this.#closed,
      broken: this.#broken,
    };
  }

  #record(text: string, record: LedgerHeader | Outcome): void {
    this.#unsealed += `${text}\n`;
    if ('ledger' in record) {
      if (this.#lineNumber > 1) this.#fault('begins anew');
      this.#header = record;
      return;
    }
    this.#unsealedOutcomes += 1;
    this.#outcomes.push(record);
  }

  #seal(seal: Seal): void {
    this.#chain = link(this.#key, this.#chain, this.#unsealed);
    if (this.#chain !== seal.chain || this.#unsealedOutcomes !== seal.outcomes) {
      this.#fault(`does not follow from the lines before it (second ${seal.second})`);
    }
    this.#chain = seal.chain;
    this.#unsealed = '';
    this.#unsealedOutcomes = 0;
    this.#sent = seal.sent;
    this.#closed = seal.end ?? false;
  }

  #fault(what: string, lineNumber = this.#lineNumber): void {
    this.#broken ??= `line ${lineNumber} ${what}`;
  }
}

function parse(text: string): LedgerHeader | Outcome | Seal | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
