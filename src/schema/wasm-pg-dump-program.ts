/**
 * A process: pg_dump as WebAssembly, which wants its server's answers synchronously. It gets them from its parent, which
 * owns an ordinary authenticated connection, over file descriptor 3. The script goes to stdout, what went wrong to
 * stderr, as with an installed pg_dump; its memory goes when it ends, which a thread's WebAssembly does not.
 */

import { pgDump } from '@electric-sql/pglite-tools/pg_dump';
import { receiveFrameSync, sendFrameSync } from './framed-pipe.ts';
import { splitFrontendMessages } from './frontend-messages.ts';
import { PARENT_FD, type PgDumpWork } from './wasm-pg-dump-work.ts';

function fromParent(): Uint8Array {
  const bytes = receiveFrameSync(PARENT_FD);
  // Nobody waits for the script any more.
  if (bytes === undefined) process.exit(1);
  return bytes;
}

const work = JSON.parse(new TextDecoder().decode(fromParent())) as PgDumpWork;

function ask(messages: Uint8Array): Uint8Array {
  sendFrameSync(PARENT_FD, messages);
  return fromParent();
}

let pending: Uint8Array = new Uint8Array(0);

function answerTo(bytes: Uint8Array): Uint8Array | undefined {
  const { request, rest } = splitFrontendMessages(Buffer.concat([pending, bytes]));
  pending = rest;
  switch (request.kind) {
    case 'incomplete':
    case 'goodbye':
      return undefined;
    case 'encryption':
      return new TextEncoder().encode('N');
    case 'startup':
      return Buffer.from(work.greeting, 'base64');
    case 'messages':
      return ask(request.bytes);
  }
}

/** The part of a PGlite database that pgDump() uses. */
const standIn = {
  query: async () => ({ rows: [{ search_path: '""' }] }),
  exec: async () => [],
  execProtocolRawStream(bytes: Uint8Array, options: { onRawData(bytes: Uint8Array): void }): void {
    const answer = answerTo(bytes);
    if (answer) options.onRawData(answer);
  },
};

/** pgDump() answers with a File: a real one would copy the script, and once more to hand it out. */
class ScriptFile {
  readonly parts: readonly string[];

  constructor(parts: readonly string[]) {
    this.parts = parts;
  }
}
globalThis.File = ScriptFile as never;

try {
  const { parts } = (await pgDump({
    pg: standIn as never,
    args: [...work.args],
  })) as unknown as ScriptFile;
  // A TypeScript loader opens stdout and leaves it non-blocking: a plain write to a full pipe then fails (EAGAIN).
  for (const part of parts) process.stdout.write(part);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
