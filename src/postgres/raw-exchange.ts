/** Frontend messages sent and backend messages received as bytes, over a session that node-postgres logged in. */

import type { Duplex } from 'node:stream';
import pg from 'pg';

const READY_FOR_QUERY = 0x5a;

/**
 * A query object for pg.Client: writes complete frontend messages ending in Query or Sync, and resolves `answer` to
 * everything the server says up to and including ReadyForQuery, piece by piece: with thousands of tables it is large.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html
 */
export class RawExchange {
  readonly answer: Promise<readonly Uint8Array[]>;
  readonly #messages: Uint8Array;
  readonly #chunks: Buffer[] = [];
  #settle: { resolve: (pieces: readonly Uint8Array[]) => void; reject: (error: Error) => void } | undefined;
  #header = Buffer.alloc(0);
  #bodyBytesLeft = 0;
  #lastType = 0;

  constructor(messages: Uint8Array) {
    this.#messages = messages;
    this.answer = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  submit(connection: { readonly stream: Duplex }): void {
    const { stream } = connection;
    const finish = () => {
      stream.off('data', onData);
      stream.off('close', onClose);
    };
    const onData = (chunk: Buffer) => {
      // A copy: node-postgres parses the same chunks and shifts bytes within them.
      this.#chunks.push(Buffer.from(chunk));
      if (!this.#endsInReadyForQuery(chunk)) return;
      finish();
      this.#settle?.resolve(this.#chunks);
    };
    const onClose = () => {
      finish();
      this.#settle?.reject(new Error('The server closed the connection'));
    };
    stream.on('data', onData);
    stream.on('close', onClose);
    stream.write(this.#messages);
  }

  /** A server's error is part of the answer; anything else is the end of the session. */
  handleError(error: Error): void {
    if (!(error instanceof pg.DatabaseError)) this.#settle?.reject(error);
  }

  // What node-postgres reads out of the same bytes is of no interest here.
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleReadyForQuery(): void {}

  /** Walks the messages of a chunk, remembering where it stopped. */
  #endsInReadyForQuery(chunk: Buffer): boolean {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#bodyBytesLeft > 0) {
        const taken = Math.min(this.#bodyBytesLeft, chunk.length - offset);
        this.#bodyBytesLeft -= taken;
        offset += taken;
        continue;
      }
      const taken = chunk.subarray(offset, offset + 5 - this.#header.length);
      this.#header = Buffer.concat([this.#header, taken]);
      offset += taken.length;
      if (this.#header.length < 5) break;
      this.#lastType = this.#header.readUInt8(0);
      this.#bodyBytesLeft = this.#header.readUInt32BE(1) - 4;
      this.#header = Buffer.alloc(0);
    }
    return this.#lastType === READY_FOR_QUERY && this.#bodyBytesLeft === 0 && this.#header.length === 0;
  }
}
