/**
 * Finds the COPY frames in a backend's byte stream: CopyData and CopyDone have the same form in both directions, so
 * what the source sends can be written to the target. Only five bytes per row are looked at.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

import { COPY_DATA, HEADER_BYTES, mergeFrames } from './merge-frames.ts';

const COPY_DONE = 0x63;
const READY_FOR_QUERY = 0x5a;

export interface FrameSink {
  /** CopyData, whole or in pieces, the frames of a chunk in one; `frames` of them began here: rows, and the trailer of the binary format. */
  onCopyData(bytes: Buffer, frames: number): void;
  /** CopyDone: the end of one COPY. */
  onCopyDone(bytes: Buffer): void;
  /** All other frames, whole or in pieces. */
  onOther(bytes: Buffer): void;
  /** ReadyForQuery: the walk ends; these bytes and all later ones are for whoever talks to the session next. */
  onReady(bytes: Buffer): void;
}

export class FrameWalker {
  readonly #sink: FrameSink;
  #code = 0;
  /** Bytes of the current frame that are still to come. */
  #remaining = 0;
  /** A header that was cut by the end of a chunk. */
  readonly #cut = Buffer.alloc(HEADER_BYTES);
  #cutBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** `chunk` is used up: what is handed on lies in its memory. */
  walk(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#remaining > 0) offset = this.#passRun(chunk, offset, 0);
      else if (this.#cutBytes > 0 || chunk.length - offset < HEADER_BYTES)
        offset = this.#collectHeader(chunk, offset);
      else offset = this.#begin(chunk, offset);
    }
  }

  /** Reads the whole header at `offset` and hands on the frame as far as it is here. */
  #begin(bytes: Buffer, offset: number): number {
    this.#code = bytes[offset] ?? 0;
    if (this.#code === READY_FOR_QUERY) {
      this.#sink.onReady(bytes.subarray(offset));
      return bytes.length;
    }
    this.#remaining = 1 + bytes.readUInt32BE(offset + 1);
    return this.#passRun(bytes, offset, 1);
  }

  #collectHeader(chunk: Buffer, offset: number): number {
    const taken = chunk.copy(this.#cut, this.#cutBytes, offset, offset + HEADER_BYTES - this.#cutBytes);
    this.#cutBytes += taken;
    const end = offset + taken;
    if (this.#cutBytes < HEADER_BYTES) return end;
    this.#cutBytes = 0;
    const isReady = this.#cut[0] === READY_FOR_QUERY;
    this.#begin(Buffer.concat([this.#cut, isReady ? chunk.subarray(end) : Buffer.alloc(0)]), 0);
    return isReady ? chunk.length : end;
  }

  /** Hands on the current frame and, if it is CopyData, those behind it, as one. Returns where they end. */
  #passRun(chunk: Buffer, start: number, framesBegun: number): number {
    const end = start + this.#remaining;
    const head = framesBegun > 0 ? start : end;
    const run =
      this.#code === COPY_DATA ? mergeFrames(chunk, head) : { read: end, kept: end, frames: framesBegun };
    this.#remaining = Math.max(0, run.read - chunk.length);
    this.#give(chunk.subarray(start, Math.min(run.kept, chunk.length)), run.frames);
    return Math.min(run.read, chunk.length);
  }

  #give(bytes: Buffer, frames: number): void {
    if (this.#code === COPY_DATA) this.#sink.onCopyData(bytes, frames);
    else if (this.#code === COPY_DONE) this.#sink.onCopyDone(bytes);
    else this.#sink.onOther(bytes);
  }
}
