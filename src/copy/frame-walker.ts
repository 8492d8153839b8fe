/**
 * Finds the COPY frames in a backend's byte stream without copying or re-framing them: CopyData and CopyDone
 * have the same form in both directions, so what the source sends can be written to the target as it is.
 * Only five bytes per row are looked at. @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

const HEADER_BYTES = 5;
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const READY_FOR_QUERY = 0x5a;

export interface FrameSink {
  /** CopyData frames, whole or in pieces; `frames` of them begin here: rows, and the trailer of the binary format. */
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

  /** Hands on the current frame and, while they are CopyData, the whole frames behind it. Returns where the run ends. */
  #passRun(chunk: Buffer, start: number, framesBegun: number): number {
    let frames = framesBegun;
    let end = start + this.#remaining;
    if (this.#code === COPY_DATA) {
      while (end + HEADER_BYTES <= chunk.length && chunk[end] === COPY_DATA) {
        end += 1 + chunk.readUInt32BE(end + 1);
        frames++;
      }
    }
    this.#remaining = Math.max(0, end - chunk.length);
    const stop = Math.min(end, chunk.length);
    this.#give(chunk.subarray(start, stop), frames);
    return stop;
  }

  #give(bytes: Buffer, frames: number): void {
    if (this.#code === COPY_DATA) this.#sink.onCopyData(bytes, frames);
    else if (this.#code === COPY_DONE) this.#sink.onCopyDone(bytes);
    else this.#sink.onOther(bytes);
  }
}
