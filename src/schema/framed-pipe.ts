/** Messages over a pipe: each is preceded by its length, 4 bytes, the highest first. */

import { readSync, writeSync } from 'node:fs';
import type { Duplex } from 'node:stream';

const LENGTH_BYTES = 4;

/** Sends the pieces as one message. */
export function sendFrame(pipe: Duplex, pieces: readonly Uint8Array[]): void {
  pipe.write(lengthOf(pieces));
  for (const piece of pieces) pipe.write(piece);
}

/** Calls `onFrame` with every whole message that arrives. */
export function receiveFrames(pipe: Duplex, onFrame: (bytes: Uint8Array) => void): void {
  let pending = Buffer.alloc(0);
  pipe.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + pending.readUInt32BE(0);
      if (pending.length < end) return;
      onFrame(pending.subarray(LENGTH_BYTES, end));
      pending = pending.subarray(end);
    }
  });
}

export function sendFrameSync(fd: number, bytes: Uint8Array): void {
  writeWholly(fd, lengthOf([bytes]));
  writeWholly(fd, bytes);
}

/** Waits. Undefined: the other end is gone. */
export function receiveFrameSync(fd: number): Uint8Array | undefined {
  const length = readWholly(fd, LENGTH_BYTES);
  return length === undefined ? undefined : readWholly(fd, length.readUInt32BE(0));
}

function writeWholly(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

function readWholly(fd: number, length: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const count = readSync(fd, bytes, done, length - done, null);
    if (count === 0) return undefined;
    done += count;
  }
  return bytes;
}

function lengthOf(pieces: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(LENGTH_BYTES);
  header.writeUInt32BE(pieces.reduce((sum, piece) => sum + piece.length, 0));
  return header;
}
