/** The two ends of a piped copy, as query objects that node-postgres runs on a session. */

import type { Duplex } from 'node:stream';
import { FrameWalker } from './frame-walker.ts';

/** What node-postgres gives a query object. */
export interface Wire {
  readonly stream: Duplex;
  query(text: string): void;
}

/** A script of COPYs over the simple protocol; `done` gives the rows of each. */
class CopyScript {
  readonly done: Promise<readonly number[]>;
  /** Rows of the COPYs that have completed. */
  readonly rows: number[] = [];
  protected readonly text: string;
  #resolve: (rows: readonly number[]) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(text: string) {
    this.text = text;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done.catch(() => undefined);
  }

  handleCommandComplete(message: { readonly text: string }): void {
    const tag = /^COPY (\d+)$/.exec(message.text);
    if (tag) this.rows.push(Number(tag[1]));
  }

  handleReadyForQuery(): void {
    this.#resolve(this.rows);
  }

  handleError(error: Error): void {
    this.#reject(error);
  }
}

/** The target's end. The server takes data that comes before it asked: no need to wait for CopyInResponse. */
export class CopyReceiver extends CopyScript {
  /** Where to write; rejects as `done` does when the session ends first. */
  readonly stream: Promise<Duplex>;
  #begin: (stream: Duplex) => void = () => undefined;

  constructor(text: string) {
    super(text);
    const begun = new Promise<Duplex>((resolve) => {
      this.#begin = resolve;
    });
    this.stream = Promise.race([begun, this.done.then(() => begun)]);
    this.stream.catch(() => undefined);
  }

  /** Called when the session has answered everything before. */
  submit(wire: Wire): void {
    wire.query(this.text);
    this.#begin(wire.stream);
  }

  handleCopyInResponse(): void {}
}

export interface CopySink {
  /** Frames to pass on; rows begun in them. */
  onData(bytes: Buffer, rows: number): void;
  onCopyDone(bytes: Buffer): void;
}

/** The source's end: takes the COPY frames out of the stream before node-postgres would parse and copy each row. */
export class CopySender extends CopyScript {
  readonly #sink: CopySink;
  #stream: Duplex | undefined;

  constructor(text: string, sink: CopySink) {
    super(text);
    this.#sink = sink;
  }

  submit(wire: Wire): void {
    const { stream } = wire;
    this.#stream = stream;
    const [parse] = stream.listeners('data') as ((bytes: Buffer) => void)[];
    if (parse === undefined) throw new Error('The source session has no reader');
    const walker = new FrameWalker({
      onCopyData: (bytes, frames) => this.#sink.onData(bytes, frames),
      onCopyDone: (bytes) => this.#sink.onCopyDone(bytes),
      onOther: parse,
      onReady: (bytes) => {
        stream.off('data', walk);
        stream.on('data', parse);
        parse(bytes);
      },
    });
    const walk = (chunk: Buffer) => walker.walk(chunk);
    stream.off('data', parse);
    stream.on('data', walk);
    wire.query(this.text);
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }
}
