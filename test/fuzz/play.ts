/** Plays what one session says to its connection, direct or through the proxy. */

import { DeadlineError } from '../../src/base/async.ts';
import { QUERY_CANCELED } from '../../src/proxy/server-connection.ts';
import { readError } from '../../src/wire/backend.ts';
import { query } from '../../src/wire/frontend.ts';
import type { Message as Received } from '../../src/wire/message-reader.ts';
import { B, IDLE } from '../../src/wire/message-type.ts';
import type { RawClient } from './raw-client.ts';
import { encode, type Item, type Message, type Names, type Op, type Script } from './script.ts';

/** How much had been answered at a wait. */
export interface Milestone {
  readonly readies: number;
  /** Since the last of them. */
  readonly answers: number;
  /** The last word was a ReadyForQuery, and whether it was that of an idle session. */
  readonly isReady: boolean;
  readonly isIdle: boolean;
}

export interface Player {
  readonly client: RawClient;
  readonly names: Names;
  /** Resolves when the `index`th wait of the script is over. */
  waited(index: number): Promise<void>;
  /** What was answered by then. */
  milestoneAt(index: number): Milestone | undefined;
  op(op: Op): Promise<void>;
}

export function milestoneOf(received: readonly Received[]): Milestone {
  // Parameters are announced in other places when a session is moved.
  const answers = received.filter(({ type }) => type !== B.parameterStatus);
  const last = answers.at(-1);
  const isReady = last?.type === B.readyForQuery;
  return {
    readies: answers.filter(({ type }) => type === B.readyForQuery).length,
    answers: answers.length - 1 - answers.findLastIndex(({ type }) => type === B.readyForQuery),
    isReady,
    isIdle: isReady && last?.body[0] === IDLE,
  };
}

/** Other answers than those that were expected may be fewer. */
export function hasReached(milestone: Milestone, received: readonly Received[]): boolean {
  const now = milestoneOf(received);
  if (now.readies !== milestone.readies) return now.readies > milestone.readies;
  return milestone.isReady || now.answers >= milestone.answers;
}

/** Behind one of these everything is answered that was sent. */
const ENDS: ReadonlySet<string> = new Set(['Query', 'Sync', 'FunctionCall']);
const CANCEL_TIMES = 40;
const CANCEL_EVERY_MS = 15;

const MARK = 'all before it is answered';
const isMark = ({ type, body }: Received): boolean => type === B.dataRow && body.includes(MARK);
const LONG_MS = 20_000;

/** A wait may be over early, when the server has not come to what was sent: here that would cancel something else. */
async function sendBehindAll(client: RawClient, bytes: Buffer): Promise<void> {
  const from = client.received.length;
  const isAnswered = () => {
    const since = client.received.slice(from);
    return (
      since.findLastIndex(({ type }) => type === B.readyForQuery) > since.findIndex(isMark) &&
      since.some(isMark)
    );
  };
  await client.send(query(`SELECT '${MARK}'`));
  await client.until('the mark', () => client.isClosed || isAnswered(), LONG_MS);
  await client.send(bytes);
}

async function cancelUntilAnswered(client: RawClient): Promise<void> {
  const isCancelled = ({ type, body }: Received) =>
    type === B.errorResponse && readError(body).code === QUERY_CANCELED;
  const from = client.received.length;
  const isAnswered = () => client.isClosed || client.received.slice(from).some(isCancelled);
  // It may have come before the request did.
  for (let times = 0; times < CANCEL_TIMES && !isAnswered(); times++) {
    await client.cancel(true);
    await client.until('the error', isAnswered, CANCEL_EVERY_MS).catch((error: unknown) => {
      if (!(error instanceof DeadlineError)) throw error;
    });
  }
}

export async function play(script: Script, player: Player): Promise<void> {
  const { client, names } = player;
  let unsent: Buffer[] = [];
  const flush = async () => {
    const bytes = Buffer.concat(unsent);
    unsent = [];
    await client.send(bytes);
  };
  let waits = 0;
  let before: Item | undefined;
  const bytesOf = (messages: readonly Message[]) =>
    Buffer.concat(messages.map((message) => encode(message, names)));
  let points = 0;
  let isAllAsked = true;
  const isIdle = (): boolean => {
    if (before === undefined) return true;
    const milestone = 'wait' in before && isAllAsked ? player.milestoneAt(waits - 1) : undefined;
    // The first is that of the log-in.
    return milestone?.isIdle === true && milestone.readies > points;
  };
  for (const item of script) {
    if ('wait' in item) {
      await flush();
      await player.waited(waits++);
    } else if ('op' in item) {
      await flush();
      const done = player.op(item.op);
      if (item.settle && isIdle()) await done;
    } else if ('cancel' in item) {
      await flush();
      if (item.cancel !== 'between' || isIdle()) await client.cancel(item.cancel !== 'wrong');
    } else if ('cancelled' in item) {
      await flush();
      await client.send(bytesOf(item.first));
      await sendBehindAll(client, bytesOf(item.cancelled));
      await cancelUntilAnswered(client);
      isAllAsked = false;
    } else {
      isAllAsked = ENDS.has(item.send.is);
      if (isAllAsked) points += 1;
      const bytes = encode(item.send, names);
      const cut = item.cut === undefined ? 0 : Math.min(item.cut, bytes.length);
      unsent.push(bytes.subarray(0, cut));
      if (cut > 0) await flush();
      unsent.push(bytes.subarray(cut));
      if (item.flush) await flush();
    }
    if (client.isClosed) return;
    before = item;
  }
  await flush();
}
