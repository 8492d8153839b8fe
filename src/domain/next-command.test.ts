import { expect, test } from 'vitest';
import { nextCommand, type Standing } from './next-command.ts';

test.each<[Standing, string]>([
  [{ phase: 'new' }, 'pgglide check, then pgglide sync'],
  [{ phase: 'syncing', hasProblems: true }, 'pgglide sync'],
  [{ phase: 'following' }, 'pgglide verify, then pgglide cutover'],
  [{ phase: 'following', isVerified: true }, 'pgglide cutover --dry-run, then pgglide cutover'],
  [
    { phase: 'following', isVerified: true, hasProblems: true },
    'mend what is told above, then pgglide verify, then pgglide cutover',
  ],
  [{ phase: 'switched', isVerified: true }, 'pgglide rollback, or pgglide complete'],
  [
    { phase: 'switched', differs: true },
    'pgglide verify, which shows what differs, if anything; then pgglide rollback, or pgglide complete',
  ],
  [
    { phase: 'switched', hasProblems: true },
    'mend what is told above, then pgglide rollback, or pgglide complete',
  ],
  [{ phase: 'switched', hasProblems: true, isWayBackGone: true }, 'pgglide complete'],
  [{ phase: 'following', interrupted: 'cutover' }, 'pgglide cutover'],
])('%j', (standing, command) => {
  expect(nextCommand(standing)).toBe(command);
});
