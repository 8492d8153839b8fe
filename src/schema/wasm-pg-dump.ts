/** Runs pg_dump 18 as WebAssembly over a connection of ours, for machines that have no client tools. */

import { pathToFileURL } from 'node:url';
import { MessageChannel, Worker, type WorkerOptions } from 'node:worker_threads';
import { entryPoint } from '../base/entry-point.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import type { PgDumpOutcome, PgDumpWork } from './wasm-pg-dump-worker.ts';

/**
 * Executes pg_dump with `args` (schema only: it cannot COPY) on the session of `connection` and returns its script.
 *
 * @throws {Error} with what pg_dump wrote to its stderr, or when the connection breaks.
 */
export async function runWasmPgDump(
  connection: Connection,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  signal?.throwIfAborted();
  const { port1: ours, port2: theirs } = new MessageChannel();
  const answered = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const work: PgDumpWork = { args, greeting: await greeting(connection), port: theirs, signal: answered };
  const worker = startWorker(work);
  try {
    return await new Promise<string>((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('pg_dump ended without an answer')));
      worker.once('message', (outcome: PgDumpOutcome) =>
        'sql' in outcome ? resolve(outcome.sql) : reject(new Error(outcome.failure)),
      );
      ours.on('message', (messages: Uint8Array) => {
        connection.exchange(messages).then((answer) => {
          ours.postMessage(answer, ownBuffers(answer));
          Atomics.store(new Int32Array(answered), 0, 1);
          Atomics.notify(new Int32Array(answered), 0);
        }, reject);
      });
    });
  } finally {
    ours.close();
    await worker.terminate();
  }
}

const YOUNG_GENERATION_MB = 4;

/**
 * Runs from dist as JavaScript and from src under a TypeScript loader: the worker's file ends as this one does.
 * Node 20 does not pass loaders on to worker threads, so there the worker registers its own.
 */
function startWorker(work: PgDumpWork): Worker {
  const options: WorkerOptions = {
    workerData: work,
    transferList: [work.port],
    execArgv: [],
    env: {},
    // Most of what it needs lies in WebAssembly's memory: its own garbage shall not pile up beside that.
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  };
  const program = entryPoint('src/schema/wasm-pg-dump-worker');
  if (program.isBuilt) return new Worker(program.file, options);
  const file = pathToFileURL(program.file).href;
  const loader = import.meta.resolve('tsx/esm/api');
  const script = `import(${JSON.stringify(loader)}).then((tsx) => tsx.tsImport(${JSON.stringify(file)}, ${JSON.stringify(file)}))`;
  return new Worker(script, { ...options, eval: true });
}

/** What may be handed over instead of copied: small pieces lie together in Node's own pool. */
const ownBuffers = (pieces: readonly Uint8Array[]): ArrayBuffer[] =>
  pieces
    .filter(({ byteLength, buffer }) => byteLength === buffer.byteLength)
    .map(({ buffer }) => buffer as ArrayBuffer);

/** AuthenticationOk, the parameters that libpq looks at, ReadyForQuery. */
async function greeting(connection: Connection): Promise<Uint8Array> {
  const names = ['server_version', 'server_encoding', 'client_encoding', 'standard_conforming_strings'];
  const parameters = await connection.query<{ name: string; setting: string }>(
    sql`SELECT name, setting FROM pg_settings WHERE name = ANY (${names}::text[])`,
  );
  const messages = [
    message('R', Buffer.alloc(4)),
    ...parameters.map(({ name, setting }) => message('S', Buffer.from(`${name}\0${setting}\0`))),
    message('Z', Buffer.from('I')),
  ];
  return new Uint8Array(Buffer.concat(messages));
}

function message(type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}
