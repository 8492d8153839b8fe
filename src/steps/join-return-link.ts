import { sleep } from '../base/async.ts';
import { ReplicationError } from '../domain/errors.ts';
import { returnLanesOf } from '../domain/lanes.ts';
import { type LaneNames, qualified, type TableName } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import type { Step, StepContext } from '../engine/step.ts';
import type { Connection } from '../postgres/connection.ts';
import { AS_APPLY_WORKER_LOCAL } from '../postgres/fence.ts';
import { existingLanes } from '../postgres/lane.ts';
import { isLinked, linkedTables, tableStates } from '../postgres/linked-tables.ts';
import { hasRows } from '../postgres/present.ts';
import { addTables, publishedByLanes } from '../postgres/publication.ts';
import { ident, sql } from '../postgres/sql.ts';
import { refreshSubscriptionSql } from '../postgres/subscription.ts';
import { tableAlone } from '../postgres/table-alone.ts';
import { unpublishTables } from '../postgres/unpublish-tables.ts';
import { emptyTables } from '../schema/empty-tables.ts';

interface JoinContext extends StepContext {
  /** Planned, on both sides, and not followed yet. */
  readonly joining: readonly PlannedTable[];
}

interface Facts {
  readonly lanes: readonly LaneNames[];
  /** Not both published and subscribed. */
  readonly unfilled: readonly PlannedTable[];
  readonly unpublished: readonly PlannedTable[];
  /** Made anew on the target: the subscription knows the one that is gone. */
  readonly hasGone: boolean;
  /** Published, and neither subscribed nor joining: left out of the scope after it was made anew on the source. */
  readonly leftOut: ReadonlySet<string>;
}

/**
 * While the target is active: tables that were made on both sides since the cutover are taken into the way back. PostgreSQL
 * copies their rows itself and hands them over to the running link, so that no write of the application is missed or doubled.
 *
 * On the target SHARE UPDATE EXCLUSIVE on each table for a moment, and ACCESS SHARE while it is copied: nobody waits. On the
 * source, which takes no writes, the tables are emptied first; who calls has made sure that nothing is lost with that.
 *
 * @throws {ReplicationError} `join_stopped`
 * @see https://www.postgresql.org/docs/current/logical-replication-architecture.html#LOGICAL-REPLICATION-SNAPSHOT
 */
export const joinReturnLink: Step<Facts, JoinContext> = {
  id: 'join-return-link',
  title: 'New tables in the way back',

  describe: () => [
    'target: ALTER PUBLICATION ... ADD TABLE; source: ALTER SUBSCRIPTION ... REFRESH PUBLICATION',
  ],

  async observe({ source, target, migration, joining }) {
    const [lanes, link] = await Promise.all([
      existingLanes(target, migration, 'reverse'),
      linkedTables(target, source, migration, 'reverse'),
    ]);
    const isPublished = (table: TableName) => link.published.has(qualified(table));
    const isSubscribed = (table: TableName) => link.subscribed.has(qualified(table));
    const wanted = new Set(joining.map(qualified));
    const facts = {
      lanes,
      unfilled: joining.filter((table) => !isPublished(table) || !isSubscribed(table)),
      unpublished: joining.filter((table) => !isPublished(table)),
      hasGone: joining.some((table) => !isPublished(table) && isSubscribed(table)),
      leftOut: new Set([...link.published].filter((name) => !link.subscribed.has(name) && !wanted.has(name))),
    };
    return { satisfied: joining.every((table) => isLinked(link, table)), facts };
  },

  actions: (context, facts) => [
    ...(facts.unfilled.length === 0
      ? []
      : [
          {
            on: 'both' as const,
            does: `source: empty ${facts.unfilled.map(qualified).join(', ')}; target: publish them; source: subscribe to them`,
            run: () => join(context, facts),
          },
        ]),
    { on: 'source', does: 'wait until PostgreSQL has copied them', run: () => awaitRows(context, facts) },
  ],
};

async function join(context: JoinContext, facts: Facts): Promise<void> {
  const { source, target, signal } = context;
  const { lanes, unfilled, unpublished, hasGone, leftOut } = facts;
  const filled: PlannedTable[] = [];
  for (const table of unfilled) if (await hasRows(source, tableAlone(table))) filled.push(table);
  await emptyTables(source, filled, {
    signal,
    onWaiting: () => tellWaiting(context, 'a lock on a table of the source that another session holds'),
  });
  await unpublishTables(target, lanes, (table) => leftOut.has(qualified(table)), { signal });
  if (hasGone) await refresh(source, lanes);
  for (const [lane, tables] of await lanesFor(context, lanes, unpublished))
    await addTables(target, lane.publication, tables, { signal });
  await refresh(source, lanes);
}

async function refresh(source: Connection, lanes: readonly LaneNames[]): Promise<void> {
  for (const { subscription } of lanes)
    await source.script(refreshSubscriptionSql(subscription, { copyData: true }));
}

/** Where the next switch would put them. */
async function lanesFor(
  { source, target, migration, settings }: JoinContext,
  lanes: readonly LaneNames[],
  tables: readonly TableName[],
): Promise<Map<LaneNames, readonly TableName[]>> {
  const forward = await existingLanes(source, migration, 'forward');
  const [onTheWayOut, carried] = await Promise.all([
    publishedByLanes(source, forward),
    publishedByLanes(target, lanes),
  ]);
  const added = returnLanesOf(onTheWayOut, carried.flat(), tables, settings.replication.lanes);
  const [first] = lanes;
  const found = new Map<LaneNames, readonly TableName[]>();
  for (const [number, joining] of added) {
    const lane = lanes.find((known) => known.lane === number) ?? first;
    if (lane !== undefined) found.set(lane, [...(found.get(lane) ?? []), ...joining]);
  }
  return found;
}

const LOOK_EVERY_MS = 200;
/** A worker that fails begins again every 5 s (wal_retrieve_retry_interval). */
const STEADY_AFTER = sql`interval '15 s'`;
const PATIENCE_MS = 60_000;

/** As long as it goes on: a state changes, or a worker stays at its table. */
async function awaitRows(context: JoinContext, { lanes }: Facts): Promise<void> {
  const { source, joining, signal } = context;
  const subscriptions = lanes.map(({ subscription }) => subscription);
  await tellWaiting(context, `the rows of ${joining.map(qualified).join(', ')}`);
  let seen = '';
  let movedAtMs = performance.now();
  for (;;) {
    const states = await tableStates(source, subscriptions);
    const open = joining.filter((table) => states.get(qualified(table)) !== 'r');
    if (open.length === 0) return;
    // Rows that are there before PostgreSQL has copied any would stop it for good.
    const begun = open.filter((table) => ['i', 'd'].includes(states.get(qualified(table)) ?? ''));
    for (const table of begun)
      if (await hasRows(source, tableAlone(table))) await deleteUncopied(source, table);
    const now = JSON.stringify(open.map((table) => [qualified(table), states.get(qualified(table))]));
    if (now !== seen || (await hasSteadyWorker(source, subscriptions))) movedAtMs = performance.now();
    seen = now;
    if (performance.now() - movedAtMs > PATIENCE_MS) throw stopped(open);
    await sleep(LOOK_EVERY_MS, signal);
  }
}

/** Asks for the state in the snapshot of the DELETE itself: rows that PostgreSQL has copied by now are not taken for others. */
async function deleteUncopied(source: Connection, table: PlannedTable): Promise<void> {
  const name = ident(table.schema, table.name);
  await source.transaction(async () => {
    await source.script(AS_APPLY_WORKER_LOCAL);
    await source.execute(sql`
      DELETE FROM ${tableAlone(table)} WHERE EXISTS (
        SELECT FROM pg_subscription_rel WHERE srrelid = ${name.text}::regclass AND srsubstate IN ('i', 'd'))`);
  });
}

async function hasSteadyWorker(source: Connection, subscriptions: readonly string[]): Promise<boolean> {
  const { steady } = await source.one<{ steady: boolean }>(sql`
    SELECT EXISTS (
      SELECT FROM pg_stat_subscription w JOIN pg_stat_activity a ON a.pid = w.pid
      WHERE w.subname = ANY (${subscriptions}::text[]) AND w.relid IS NOT NULL
        AND a.backend_start < clock_timestamp() - ${STEADY_AFTER}) AS steady`);
  return steady;
}

const tellWaiting = ({ events }: JoinContext, waitingFor: string): Promise<void> =>
  events.emit('step-waiting', { step: joinReturnLink.id, waitingFor }).catch(() => undefined);

const stopped = (tables: readonly PlannedTable[]): ReplicationError =>
  new ReplicationError(
    'join_stopped',
    `PostgreSQL does not copy ${tables.map(qualified).join(', ')} to the source: nothing has moved for ${PATIENCE_MS / 1000} s`,
    {
      hint: 'The server log of the source says why: no free worker there (max_logical_replication_workers, max_sync_workers_per_subscription), no free slot or WAL sender on the target, no right of the link’s role to read the table there. Mend that, then pgglide sync again.',
      facts: { tables: tables.map(qualified) },
    },
  );
