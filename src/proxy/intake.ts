/**
 * What comes from a server, read into the same memory again and again. By itself a socket takes 64 kB anew for each
 * read, however small: allocating, shrinking and collecting that costs more than looking at its messages.
 * @see https://nodejs.org/api/net.html#socketconnectoptions-connectlistener
 */

import type { OnReadOpts, Socket } from 'node:net';

/** Most answers are smaller. Of one that nobody has used no memory is taken but the pages that were written to. */
const READ_BYTES = 16_384;

export class Intake {
  /** Gets what has been read. @returns true when it needs the bytes no longer: the next ones may be written over them */
  take: (chunk: Buffer) => boolean = () => false;
  #memory = Buffer.allocUnsafeSlow(READ_BYTES);

  /** For a socket that is still to be opened, in clear. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#memory,
    callback: (bytes) => {
      const isFree = this.take(this.#memory.subarray(0, bytes));
      if (!isFree) this.#memory = Buffer.allocUnsafeSlow(READ_BYTES);
      return true;
    },
  };

  /** For one that decrypts: its bytes are its own, and new each time. */
  listenTo(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => void this.take(chunk));
  }
}
