/** Asks before what cannot be undone. */

import { createInterface } from 'node:readline/promises';
import { RefusedError } from '../domain/errors.ts';
import type { CommandContext } from './command.ts';

/** @throws {RefusedError} `confirmation_needed` when nobody can be asked, `not_confirmed` when the answer is not `expected` */
export async function confirm(
  context: CommandContext,
  question: { readonly what: string; readonly expected: string },
): Promise<void> {
  if (context.global.yes) return;
  if (context.global.input === false || !process.stdin.isTTY || !process.stderr.isTTY) {
    throw new RefusedError('confirmation_needed', question.what, {
      hint: 'Run it again with --yes if that is what you want.',
    });
  }
  context.output.beforeWriting();
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // While it asks, the keys are its own: Ctrl-C is no signal of the terminal, and Ctrl-D closes it.
  lines.on('SIGINT', () => process.emit('SIGINT'));
  const closed = new AbortController();
  lines.once('close', () => closed.abort());
  try {
    const asked = lines.question(`${question.what}\nType "${question.expected}" to go on: `, {
      signal: AbortSignal.any([context.signal, closed.signal]),
    });
    const answer = await asked.catch(() => undefined);
    context.signal.throwIfAborted();
    if (answer?.trim() === question.expected) return;
  } finally {
    lines.close();
  }
  throw new RefusedError('not_confirmed', 'Not confirmed: nothing was changed', {
    hint: `Type ${question.expected} when asked, or give --yes.`,
  });
}
