/**
 * Worker thread: pg_dump as WebAssembly, which wants its server's answers synchronously. It gets them from the main
 * thread, which owns an ordinary authenticated connection: this thread sleeps in Atomics.wait meanwhile.
 */

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { pgDump } from '@electric-sql/pglite-tools/pg_dump';
import { splitFrontendMessages } from './frontend-messages.ts';

/** What the main thread hands over. */
export interface PgDumpWork {
  readonly args: readonly string[];
  /** Complete backend messages that answer the start-up packet. */
  readonly greeting: Uint8Array;
  readonly port: MessagePort;
  /** One Int32: 0 while an answer is awaited, 1 once it is on the port. */
  readonly signal: SharedArrayBuffer;
}

/** What comes back through parentPort, once. */
export type PgDumpOutcome = { readonly sql: string } | { readonly failure: string };

const work = workerData as PgDumpWork;
const signal = new Int32Array(work.signal);

function ask(messages: Uint8Array): Uint8Array {
  Atomics.store(signal, 0, 0);
  work.port.postMessage(messages);
  // A late notify for the previous answer may wake this wait early.
  while (Atomics.load(signal, 0) === 0) Atomics.wait(signal, 0, 0);
  const answer = receiveMessageOnPort(work.port);
  if (answer === undefined) throw new Error('The connection to the server was lost');
  return joined(answer.message as readonly Uint8Array[]);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let end = 0;
  for (const piece of pieces) {
    bytes.set(piece, end);
    end += piece.length;
  }
  return bytes;
}

let pending: Uint8Array = new Uint8Array(0);

function answerTo(bytes: Uint8Array): Uint8Array | undefined {
  const { request, rest } = splitFrontendMessages(joined([pending, bytes]));
  pending = rest;
  switch (request.kind) {
    case 'incomplete':
    case 'goodbye':
      return undefined;
    case 'encryption':
      return new TextEncoder().encode('N');
    case 'startup':
      return work.greeting;
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
  readonly sql: string;

  constructor(parts: readonly string[]) {
    this.sql = parts.join('');
  }
}
globalThis.File = ScriptFile as never;

async function dump(): Promise<PgDumpOutcome> {
  try {
    const file = (await pgDump({ pg: standIn as never, args: [...work.args] })) as unknown as ScriptFile;
    return { sql: file.sql };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.postMessage(await dump());
