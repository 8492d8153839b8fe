/**
 * Runs the same list of COPYs on two sessions at once, out of the source and into the target, the bytes passing
 * from socket to socket. One round trip for the whole list: both scripts are sent at the start, and the target
 * finds the data of each COPY waiting when it gets to it.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */

import type { Duplex } from 'node:stream';
import { messageOf } from '../base/message-of.ts';
import type { Side } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import type { Sql } from '../postgres/sql.ts';
import { CopyReceiver, CopySender } from './copy-script.ts';

export interface PipedCopy {
  readonly rows: number;
  /** Bytes on the wire. */
  readonly bytes: number;
}

export interface PipeOptions {
  readonly source: Connection;
  readonly target: Connection;
  /** Contains the COPY ... TO STDOUT statements. */
  readonly sourceScript: Sql;
  /** Contains as many COPY ... FROM STDIN. */
  readonly targetScript: Sql;
  /** Called with bytes just passed on: how long to read nothing more, in ms; 0 to go on. Asked again, with 0 bytes, after that time. */
  readonly holdMs: (bytes: number) => number;
  /** `index` counts the COPYs of the script; rows are exact only in the result. */
  readonly onData: (index: number, bytes: number, rows: number) => void;
}

/** Which session failed, and in which COPY of its script. */
export class PipeError extends Error {
  readonly side: Side;
  readonly index: number;
  constructor(side: Side, index: number, cause: unknown) {
    super(messageOf(cause), { cause });
    this.name = 'PipeError';
    this.side = side;
    this.index = index;
  }
}

/** Unwritten bytes above which the source is not read: what one worker holds in memory at most, plus one socket read. */
const HIGH_WATER_BYTES = 256 * 1024;

/**
 * Resolves when both sessions are ready for the next statement, with one entry per COPY.
 * After a rejection both sessions are in the middle of something: they must be destroyed.
 *
 * @throws {PipeError}
 */
export async function pipeCopies(options: PipeOptions): Promise<PipedCopy[]> {
  const receiver = new CopyReceiver(options.targetScript.text);
  options.target.submit(receiver);
  const pump = new Pump(options, await named('target', receiver, receiver.stream));
  const sender = new CopySender(options.sourceScript.text, pump);
  pump.start(sender);
  options.source.submit(sender);
  try {
    const [sent, stored] = await Promise.all([
      named('source', sender, sender.done),
      named('target', receiver, receiver.done),
    ]);
    return sent.map((rows, index) => {
      if (rows === stored[index]) return { rows, bytes: pump.bytes[index] ?? 0 };
      throw new PipeError('target', index, new Error(`${rows} rows were sent, ${stored[index]} were stored`));
    });
  } finally {
    pump.stop();
  }
}

async function named<T>(side: Side, script: CopySender | CopyReceiver, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new PipeError(side, script.rows.length, error);
  }
}

/** Writes what the sender gives to the target, and stops reading while the target or the throttle is behind. */
class Pump {
  /** Passed on so far, for each COPY. */
  readonly bytes: number[] = [0];
  readonly #options: PipeOptions;
  readonly #target: Duplex;
  #index = 0;
  #sender: CopySender | undefined;
  #isTargetBehind = false;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  readonly #onDrain = () => {
    this.#isTargetBehind = false;
    this.#resumeIfFree();
  };

  constructor(options: PipeOptions, target: Duplex) {
    this.#options = options;
    this.#target = target;
  }

  start(sender: CopySender): void {
    this.#sender = sender;
    this.#target.on('drain', this.#onDrain);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#target.off('drain', this.#onDrain);
    this.#sender?.resume();
  }

  onData(bytes: Buffer, rows: number): void {
    this.bytes[this.#index] = (this.bytes[this.#index] ?? 0) + bytes.length;
    this.#options.onData(this.#index, bytes.length, rows);
    this.#write(bytes);
    this.#hold(this.#options.holdMs(bytes.length));
  }

  onCopyDone(bytes: Buffer): void {
    this.#write(bytes);
    this.#index++;
    this.bytes[this.#index] = 0;
  }

  #write(bytes: Buffer): void {
    if (this.#isStopped || !this.#target.writable) return;
    this.#target.write(bytes);
    if (this.#target.writableLength < HIGH_WATER_BYTES) return;
    this.#isTargetBehind = true;
    this.#sender?.pause();
  }

  #hold(ms: number): void {
    if (ms <= 0 || this.#isStopped || this.#timer !== undefined) return;
    this.#sender?.pause();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#hold(this.#options.holdMs(0));
      this.#resumeIfFree();
    }, ms);
  }

  #resumeIfFree(): void {
    if (!this.#isTargetBehind && this.#timer === undefined && !this.#isStopped) this.#sender?.resume();
  }
}
