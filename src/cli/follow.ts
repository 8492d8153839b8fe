/** `sync --follow`: stays while the migration lives, tells what goes wrong meanwhile and what DDL changed, and syncs again when the link has stopped. */

import { sleep } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import type { Settings } from '../config/settings.ts';
import {
  DifferenceError,
  LockedError,
  type PgglideError,
  PrerequisiteError,
  RefusedError,
  ReplicationError,
  UnreachableError,
} from '../domain/errors.ts';
import type { MigrationEvent } from '../domain/event.ts';
import type { Phase } from '../domain/phase.ts';
import type { Listen } from '../engine/event-stream.ts';
import { type Migration, openMigration } from '../migration/migration.ts';
import { schemaProblem } from '../migration/status.ts';
import { withWalGuard } from '../migration/wal-guard.ts';
import type { MigrationStatus } from '../observers/status.ts';
import type { CommandContext } from './command.ts';
import { Eye } from './eye.ts';
import { observed } from './observed.ts';
import { openHooks } from './open-hooks.ts';
import { settingsFor } from './settings.ts';

const LOOK_EVERY_MS = 3000;
/** An abort takes our schema away, and with it the migration's row: it looks new again. */
const OVER: readonly Phase[] = ['completed', 'aborted', 'new'];
/** The command that ended it may run in this container, which ends with us. */
const LINGER_MS = 10_000;
const KEEPS_OUT = [RefusedError, DifferenceError, PrerequisiteError, ReplicationError] as const;

const describe = ({ message, hint }: PgglideError): string =>
  hint === undefined ? message : `${message}. ${hint}`;

/**
 * Behind the cutover a pod that comes up again follows whatever keeps new tables out of the way back: it guards the disk there,
 * and tells.
 */
export async function syncOnce(
  { output }: CommandContext,
  migration: Migration,
  sync: () => Promise<void>,
): Promise<void> {
  try {
    await sync();
  } catch (error) {
    const keepsOut = KEEPS_OUT.find((family) => error instanceof family);
    if (keepsOut === undefined) throw error;
    const phase = (await migration.row())?.phase;
    if (phase === 'switched') return output.warn(describe(error as PgglideError));
    if (phase !== 'completed' || keepsOut !== RefusedError) throw error;
  }
}

/** A server that starts together with us, or fails over, is not a reason to give up yet. */
const START_PATIENCE_MS = 120_000;
/** A worker that starts again is away for a moment, too. */
const LOOKS_BEFORE_RESYNC = 3;

/**
 * Again and again while a server does not answer; a login that is refused is told at once. The disk of the active side is
 * guarded meanwhile, too.
 */
export async function onceReachable<T>(context: CommandContext, work: () => Promise<T>): Promise<T> {
  const emit: Listen = (event) => {
    if (event.type === 'warning') context.output.warn(event.data.message);
  };
  return withWalGuard(await settingsFor(context), { emit }, () => patiently(context, work));
}

async function patiently<T>(context: CommandContext, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  let told: string | undefined;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isAway = error instanceof UnreachableError && error.code === 'server_unreachable';
      if (!isAway || performance.now() - startedMs > START_PATIENCE_MS) throw error;
      if (error.message !== told) context.output.warn(`${error.message}; trying again`);
      told = error.message;
    }
    await sleep(LOOK_EVERY_MS, context.signal);
  }
}

/**
 * Until the migration is completed or aborted; servers that cannot be reached are waited for.
 * @param resync sync once more; what it throws ends the following, unless somebody else is at work or a server is away
 */
export async function follow(
  context: CommandContext,
  resync: () => Promise<unknown>,
): Promise<MigrationStatus> {
  const settings = await settingsFor(context);
  return observed(context, settings, (emit) => {
    const hooks = openHooks(context, settings);
    const tell = (event: MigrationEvent) => {
      emit(event);
      hooks?.onEvent(event);
    };
    return withWalGuard(settings, { emit: tell }, () =>
      watch(context, settings, { emit, tell, hooks }, resync),
    );
  });
}

interface Listeners {
  /** The observers. */
  readonly emit: Listen;
  /** The observers and the hooks. */
  readonly tell: Listen;
  readonly hooks: ReturnType<typeof openHooks>;
}

async function watch(
  context: CommandContext,
  settings: Settings,
  { emit, tell, hooks }: Listeners,
  resync: () => Promise<unknown>,
): Promise<MigrationStatus> {
  await using eye = new Eye(() => openMigration(settings, { signal: context.signal, emit: tell }));
  let known: readonly string[] = [];
  let phase: Phase | undefined;
  let looksWithoutLink = 0;
  for (;;) {
    const seen = await eye
      .look((migration) => migration.status({ schema: 'at-hand' }))
      .then((status) => ({ status }), problemOf);
    if ('status' in seen && seen.status.phase !== phase) {
      phase = seen.status.phase;
      context.output.note(`${seen.status.migration}: ${phase}. Next: ${seen.status.next ?? 'nothing'}`);
      if (OVER.includes(phase)) {
        await sleep(LINGER_MS, context.signal);
        return seen.status;
      }
    }
    if ('status' in seen) hooks?.knowSide(seen.status.activeSide);
    const changes = ('status' in seen && seen.status.schemaChanges) || [];
    if (changes.length > 0) {
      // What could not be written down is told by the next look.
      await eye.look((migration) => migration.tellSchemaChanges(changes)).catch(() => undefined);
      await hooks?.finish();
    }
    const told = new Set(changes.map(schemaProblem));
    const problems =
      'status' in seen ? seen.status.problems.filter((problem) => !told.has(problem)) : [seen.problem];
    for (const message of problems.filter((problem) => !known.includes(problem))) {
      emit({ type: 'warning', at: new Date().toISOString(), data: { code: 'following', message } });
    }
    known = problems;
    looksWithoutLink = 'status' in seen && isStopped(seen.status) ? looksWithoutLink + 1 : 0;
    if (looksWithoutLink >= LOOKS_BEFORE_RESYNC) {
      looksWithoutLink = 0;
      await resync().catch(whileAway);
    }
    await sleep(LOOK_EVERY_MS, context.signal);
  }
}

const problemOf = (error: unknown): { readonly problem: string } => ({
  problem: messageOf(error),
});

const isStopped = ({ phase, link }: MigrationStatus): boolean =>
  phase === 'following' && link?.isStreaming === false;

function whileAway(error: unknown): void {
  if (!(error instanceof LockedError) && !(error instanceof UnreachableError)) throw error;
}
