/** What wasm-pg-dump.ts and its program agree on. */

/** The program's file descriptor for its conversation with its parent, in frames. */
export const PARENT_FD = 3;

/** The parent's first frame, as JSON. After it each frame of the program is answered by one with the server's bytes. */
export interface PgDumpWork {
  readonly args: readonly string[];
  /** Complete backend messages that answer the start-up packet, in base64. */
  readonly greeting: string;
}
