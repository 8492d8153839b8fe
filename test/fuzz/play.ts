/** Plays a script to one connection, direct or through the proxy. */

import type { Message as Received } from '../../src/wire/message-reader.ts';
import { B, IDLE } from '../../src/wire/message-type.ts';
import type { RawClient } from './raw-client.ts';
import { encode, type Item, type Names, type Op, type Script } from './script.ts';

/** How much had been answered at a wait. */
export interface Milestone {
  readonly answers: number;
  readonly readies: number;
  /** The last word was a ReadyForQuery, and whether it was that of an idle session. */
  readonly isReady: boolean;
  readonly isIdle: boolean;
}

export interface Player {
  readonly client: RawClient;
  readonly names: Names;
  /** Resolves when the `index`th wait of the script is over. */
  waited(index: number): Promise<void>;
  /** Of the `index`th wait; for the one before the first, -1. */
  isIdleAt(index: number): boolean;
  op(op: Op): Promise<void>;
}

export function milestoneOf(received: readonly Received[]): Milestone {
  // Parameters are announced in other places when a session is moved.
  const answers = received.filter(({ type }) => type !== B.parameterStatus);
  const last = answers.at(-1);
  const isReady = last?.type === B.readyForQuery;
  return {
    answers: answers.length,
    readies: answers.filter(({ type }) => type === B.readyForQuery).length,
    isReady,
    isIdle: isReady && last?.body[0] === IDLE,
  };
}

/** Other answers than those that were expected may be fewer. */
export function hasReached(milestone: Milestone, received: readonly Received[]): boolean {
  const now = milestoneOf(received);
  return now.readies >= milestone.readies && (milestone.isReady || now.answers >= milestone.answers);
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
  for (const item of script) {
    if ('wait' in item) {
      await flush();
      await player.waited(waits++);
    } else if ('op' in item) {
      await flush();
      const isIdle = (before === undefined || 'wait' in before) && player.isIdleAt(waits - 1);
      const done = player.op(item.op);
      if (item.settle && isIdle) await done;
    } else {
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
