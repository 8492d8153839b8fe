/**
 * The source sends a CopyData frame for each row, and a server that gets them takes each one apart by itself, which costs
 * it about an eighth of the whole COPY. Where a frame ends means nothing to it: all frames of a chunk become one.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */

export const HEADER_BYTES = 5;
export const COPY_DATA = 0x64;

/** The server takes a gigabyte at most; above this a frame of its own costs nothing. */
const LARGEST_BYTES = 64 * 1024;

export interface MergedFrames {
  /** Where the last frame ends that was taken in; behind the chunk's end if that one is cut. */
  readonly read: number;
  /** Where what is left of them ends now, as far as it is here. */
  readonly kept: number;
  readonly frames: number;
}

/** Moves the CopyData frames from `head` on together, inside `chunk`, to one frame. None there: nothing is changed. */
export function mergeFrames(chunk: Buffer, head: number): MergedFrames {
  let read = head;
  let kept = head;
  let frames = 0;
  let mergedBytes = 0;
  while (read + HEADER_BYTES <= chunk.length && chunk[read] === COPY_DATA) {
    const bodyBytes = chunk.readUInt32BE(read + 1) - 4;
    if (frames > 0 && bodyBytes > LARGEST_BYTES) break;
    if (frames > 0) chunk.copyWithin(kept, read + HEADER_BYTES, read + HEADER_BYTES + bodyBytes);
    else kept += HEADER_BYTES;
    read += HEADER_BYTES + bodyBytes;
    kept += bodyBytes;
    mergedBytes += bodyBytes;
    frames++;
  }
  if (frames > 1) chunk.writeUInt32BE(4 + mergedBytes, head + 1);
  return { read, kept: Math.min(kept, kept - (read - chunk.length)), frames };
}
