import { SwitchoverAbortedError } from '../domain/errors.ts';
import { qualified, type Side, type TableName } from '../domain/names.ts';
import { blocking, type ReadinessFacts, readiness } from '../domain/readiness.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { longTransactions, preparedTransactions } from '../postgres/activity.ts';
import type { Connection } from '../postgres/connection.ts';
import { linkAlterations } from '../postgres/link-alterations.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';
import { hinderingDefaults } from '../postgres/session-defaults.ts';
import { subscriptionState, subscriptionsOfOthers } from '../postgres/subscription.ts';
import { lockHolders } from '../postgres/table-locks.ts';
import { unlinkedTables } from '../schema/unlinked-tables.ts';

/** Longer than this on the old side and the drain would not end within any sensible budget. */
const LONG_TRANSACTION_MS = 1000;

/**
 * Refuses a switch that would not go through quickly: link broken, altered or behind, a long or prepared transaction, a
 * lock held for long, a table that the link does not carry, a subscription of others that goes on writing on either side,
 * new sessions that could not write on the new side.
 * Reads only, but for one marker round trip, which measures the lag. Locks nothing.
 *
 * @throws {SwitchoverAbortedError} `not_ready`, listing every reason
 * @throws {UnreachableError} `proxy_unreachable`
 */
export const checkReadiness: SwitchoverStep = {
  id: 'check-readiness',
  title: 'Guardrails: link, lag, long transactions',
  describe: ({ from }) => [
    `measure the lag with a marker; look for long and prepared transactions on the ${from}`,
  ],

  async run(context) {
    // Before anything is built: a traffic switch that is not there could not pause anyway.
    await context.traffic.observe();
    return requireReady(context);
  },
};

/** What is asked of the servers. @throws {SwitchoverAbortedError} `not_ready` */
export async function requireReady(context: SwitchoverContext): Promise<string> {
  const findings = readiness(await gatherFacts(context), { maxLagMs: context.pauseBudgetMs / 2 });
  const reasons = blocking(findings);
  if (reasons.length === 0) return findings.map((finding) => finding.text).join(', ');
  throw new SwitchoverAbortedError(
    'not_ready',
    `Not ready: ${reasons.map((reason) => reason.text).join('; ')}`,
    {
      hint: reasons.map((reason) => reason.hint).join(' '),
      facts: { reasons: reasons.map((reason) => reason.id) },
    },
  );
}

async function gatherFacts(context: SwitchoverContext): Promise<ReadinessFacts> {
  const states = await Promise.all(
    context.outLanes.map((lane) => subscriptionState(context.newSide, lane.subscription)),
  );
  const linkRuns = states.length > 0 && states.every((state) => state?.isEnabled && state.isRunning);
  return {
    linkRuns,
    lagMs: linkRuns ? await markerRoundTripMs(context) : undefined,
    longTransactions: await longTransactions(context.oldSide, LONG_TRANSACTION_MS),
    preparedTransactions: await preparedTransactions(context.oldSide),
    unlinked: (await unlinkedTables(context)).map(qualified),
    from: context.from,
    lockHolders: await lockHolders(context.oldSide, context.tables, LONG_TRANSACTION_MS),
    feeds: [
      ...(await feedsOf(context.oldSide, context.tables, context.from)),
      ...(await feedsOf(context.newSide, context.tables, context.to)),
    ],
    // Behind what asks for ages: a lock is not to look older for our looking.
    altered: await alterations(context),
    hindrances: await hindrances(context),
  };
}

const alterations = async ({ oldSide, newSide, to, outLanes }: SwitchoverContext): Promise<string[]> =>
  (await linkAlterations(oldSide, newSide, to, outLanes)).map(({ text }) => text);

async function hindrances({ oldSide, newSide }: SwitchoverContext): Promise<string[]> {
  const known = new Set(await hinderingDefaults(oldSide));
  return (await hinderingDefaults(newSide)).filter((setting) => !known.has(setting));
}

const feedsOf = async (connection: Connection, tables: readonly TableName[], side: Side): Promise<string[]> =>
  (await subscriptionsOfOthers(connection, tables)).map((name) => `${name} on the ${side}`);

/** Undefined when it does not arrive within the budget. */
async function markerRoundTripMs(context: SwitchoverContext): Promise<number | undefined> {
  const markers = context.outLanes.map((lane) => lane.marker);
  const token = `readiness-${process.pid}-${performance.now()}`;
  const started = performance.now();
  await writeMarkers(context.oldSide, markers, token);
  const arrived = await awaitMarkers(context.newSide, markers, token, {
    timeoutMs: Math.max(5000, context.pauseBudgetMs),
    intervalMs: 2,
    signal: context.signal,
  });
  return arrived ? performance.now() - started : undefined;
}
