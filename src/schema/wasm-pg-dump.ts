/** Runs pg_dump 18 as WebAssembly over a connection of ours, for machines that have no client tools. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { entryPoint } from '../base/entry-point.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { outputOf } from './child-output.ts';
import { environmentWithoutPg } from './environment-without-pg.ts';
import { receiveFrames, sendFrame } from './framed-pipe.ts';
import { PARENT_FD, type PgDumpWork } from './wasm-pg-dump-work.ts';

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
  const work: PgDumpWork = { args, greeting: (await greeting(connection)).toString('base64') };
  const child = startProgram(signal);
  try {
    const broken = answerFrom(connection, child, work);
    const { stdout, stderr, exitCode } = await Promise.race([outputOf(child), broken]);
    if (exitCode === 0) return stdout;
    throw new Error(stderr.trim() || `pg_dump ended with ${exitCode ?? 'a signal'}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Young garbage shall not pile up beside WebAssembly's memory. */
const NODE_FLAGS = ['--max-semi-space-size=4', '--no-warnings'];

/** From dist as JavaScript, from src under a TypeScript loader. */
function startProgram(signal: AbortSignal | undefined): ChildProcess {
  const { file, loader } = entryPoint('src/schema/wasm-pg-dump-program');
  return spawn(process.execPath, [...NODE_FLAGS, ...loader, file], {
    env: environmentWithoutPg(),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal, killSignal: 'SIGKILL' }),
  });
}

/** Puts the program's questions to the server. Never resolves; rejects when the server's session breaks. */
function answerFrom(connection: Connection, { stdio }: ChildProcess, work: PgDumpWork): Promise<never> {
  const pipe = stdio[PARENT_FD] as Duplex;
  // A program that has ended says why by itself.
  pipe.on('error', () => undefined);
  sendFrame(pipe, [Buffer.from(JSON.stringify(work))]);
  return new Promise((_, reject) => {
    receiveFrames(pipe, (messages) => {
      connection.exchange(messages).then((answer) => sendFrame(pipe, answer), reject);
    });
  });
}

/** AuthenticationOk, the parameters that libpq looks at, ReadyForQuery. */
async function greeting(connection: Connection): Promise<Buffer> {
  const names = ['server_version', 'server_encoding', 'client_encoding', 'standard_conforming_strings'];
  const parameters = await connection.query<{ name: string; setting: string }>(
    sql`SELECT name, setting FROM pg_settings WHERE name = ANY (${names}::text[])`,
  );
  const messages = [
    message('R', Buffer.alloc(4)),
    ...parameters.map(({ name, setting }) => message('S', Buffer.from(`${name}\0${setting}\0`))),
    message('Z', Buffer.from('I')),
  ];
  return Buffer.concat(messages);
}

function message(type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}
