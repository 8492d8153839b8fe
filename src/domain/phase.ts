/** The life of a migration: phase x command, a total table. Pure. */

import type { Side } from './names.ts';

export const PHASES = ['new', 'syncing', 'following', 'switched', 'completed', 'aborted'] as const;
/**
 * - `new`: nothing was created yet.
 * - `syncing`: schema, copy, indexes; sync continues it.
 * - `following`: the source is active, the target follows. Also after a rollback.
 * - `switched`: the target is active, the source follows. Sync brings to the source what was made on both sides since.
 * - `completed` and `aborted`: over; our objects are gone.
 */
export type Phase = (typeof PHASES)[number];

export const COMMANDS = [
  'check',
  'plan',
  'sync',
  'status',
  'verify',
  'rehearse',
  'cutover',
  'rollback',
  'complete',
  'abort',
  'report',
] as const;
export type Command = (typeof COMMANDS)[number];

/** `go`: allowed. `done`: nothing left to do, exit 0. A text: refused, and what to do instead. */
export type Answer = 'go' | 'done' | { readonly refused: string };
const no = (refused: string): Answer => ({ refused });

const reads = { check: 'go', plan: 'go', status: 'go', report: 'go' } as const;

export const TRANSITIONS: Readonly<Record<Phase, Readonly<Record<Command, Answer>>>> = {
  new: {
    ...reads,
    sync: 'go',
    verify: no('Nothing has been copied yet. Run: pgglide sync'),
    rehearse: no('Nothing has been copied yet. Run: pgglide sync'),
    cutover: no('Nothing has been copied yet. Run: pgglide sync'),
    rollback: no('There was no cutover to roll back.'),
    complete: no('There was no cutover to complete. Run: pgglide sync'),
    abort: 'done',
  },
  syncing: {
    ...reads,
    sync: 'go',
    verify: no('The copy is not finished. Run: pgglide sync'),
    rehearse: no('The copy is not finished. Run: pgglide sync'),
    cutover: no('The copy is not finished. Run: pgglide sync'),
    rollback: no('There was no cutover to roll back. To give the migration up: pgglide abort'),
    complete: no('There was no cutover to complete. Run: pgglide sync'),
    abort: 'go',
  },
  following: {
    ...reads,
    sync: 'go',
    verify: 'go',
    rehearse: 'go',
    cutover: 'go',
    rollback: no('The source is the active side already.'),
    complete: no('The source is still the active side. Run: pgglide cutover'),
    abort: 'go',
  },
  switched: {
    ...reads,
    sync: 'go',
    verify: 'go',
    rehearse: 'go',
    cutover: no('The target is the active side already.'),
    rollback: 'go',
    complete: 'go',
    abort: no('The target is the active side. Run pgglide rollback first, or pgglide complete.'),
  },
  completed: {
    ...reads,
    sync: no('This migration is complete. Name another one with --migration.'),
    verify: no('This migration is complete; the link between the sides is gone.'),
    rehearse: no('This migration is complete.'),
    cutover: no('This migration is complete.'),
    rollback: no('This migration is complete: the way back was given up with it.'),
    complete: 'done',
    abort: no('This migration is complete.'),
  },
  aborted: {
    ...reads,
    sync: 'go',
    verify: no('This migration was aborted. Run: pgglide sync'),
    rehearse: no('This migration was aborted. Run: pgglide sync'),
    cutover: no('This migration was aborted. Run: pgglide sync'),
    rollback: no('This migration was aborted.'),
    complete: no('This migration was aborted.'),
    abort: 'done',
  },
};

/** The side that takes the application's writes. */
export const activeSideIn = (phase: Phase): Side =>
  phase === 'switched' || phase === 'completed' ? 'target' : 'source';
