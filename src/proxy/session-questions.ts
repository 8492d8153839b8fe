/** What we say to a session's server between two of its requests: the client waits for the answer. */

import { cstring, frame } from '../wire/bytes.ts';
import { closeStatement, sync } from '../wire/frontend.ts';
import { askHoldings, type Holdings, prepareQuestion, readHoldings } from './holdings.ts';
import type { Answer, ServerConnection } from './server-connection.ts';

const ASK_TIMEOUT_MS = 5_000;

/** `passOn` gets what the server says to the client meanwhile. */
export async function holdingsOn(
  server: ServerConnection,
  customNames: Iterable<string>,
  timeoutMs: number,
  passOn: (message: Buffer) => void,
): Promise<Holdings> {
  const question = askHoldings(customNames);
  const ask = (messages: Buffer) => server.answerTo(messages, timeoutMs, passOn);
  if (server.knowsQuestion) {
    const answer = await ask(question);
    // DISCARD ALL and DEALLOCATE ALL take our statement away too.
    if (answer?.error === undefined) return readHoldings(answer);
  }
  server.knowsQuestion = true;
  return readHoldings(await ask(Buffer.concat([prepareQuestion(), question])));
}

/** Can it parse a statement? `definition`: the body of a Parse behind the name. */
export async function canParseOn(server: ServerConnection, definition: Buffer): Promise<boolean> {
  const probe = '_pgglide_probe';
  const answer = await parse(server, probe, definition, closeStatement(probe));
  return answer?.error === undefined;
}

/** Should it fail, the client will get the error of a missing statement. */
export async function parseUnnamedOn(server: ServerConnection, definition: Buffer): Promise<void> {
  await parse(server, '', definition).catch(() => undefined);
}

async function parse(
  server: ServerConnection,
  name: string,
  definition: Buffer,
  ...more: Buffer[]
): Promise<Answer | undefined> {
  const messages = Buffer.concat([frame('P', cstring(name), definition), ...more, sync()]);
  return await server.answerTo(messages, ASK_TIMEOUT_MS);
}
