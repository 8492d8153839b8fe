/** PGG160 to 168, 185: what logical replication does not carry, or what others have set up. */

import { linkPrefix, otherSide, qualified, SIDES, type Side } from '../names.ts';
import {
  isUnderWay,
  type PreflightFacts,
  type ReplicationSlot,
  type ServerFacts,
  type SubscriptionFact,
  serverOf,
} from './facts.ts';
import { quoteName, quoteTable, quoteText } from './quote.ts';
import type { Report, Rule } from './rule.ts';
import { bytesInWords, some } from './words.ts';

const unlogged: Rule = {
  id: 'PGG160',
  title: 'no table is unlogged',
  severity: 'warning',
  background: `Unlogged tables are not in the WAL, so nothing of them is replicated. pgglide copies their rows in whole at the end of sync, and
again before each switch and rollback, outside the pause (pgglide plan shows the time): what changes in the last moments before the
pause stays on the old side, a row that a cascade removes included. With copy.unloggedTables: empty they come as definitions only, which
is enough for caches, and each side keeps its own rows. If every row matters, make the table logged (it is written once in whole, under an
exclusive lock).`,
  check: ({ source }) =>
    source.objects.tables
      .filter((table) => table.isUnlogged && !table.isPartitioned)
      .map((table) => ({
        title: `table ${qualified(table)} is unlogged: its rows are copied before each switch, not replicated`,
        object: qualified(table),
        fix: `ALTER TABLE ${quoteTable(table)} SET LOGGED;`,
        fixOn: 'source' as const,
      })),
};

const largeObjects: Rule = {
  id: 'PGG161',
  title: 'there are no large objects',
  severity: 'warning',
  background: `Large objects (lo_*, pg_largeobject) are not part of logical decoding. pgglide carries them itself, with their oids, owners and
grants: at every sync, and again before each switch and rollback, outside the pause, until both sides are equal; each time it reads
them all on both sides. In the pause it looks whether they have changed since, and goes back if so: few and small ones (up to 500 and
8 MB) to the byte, of more only number, oids and space. So keep their writers still for the minutes of the cutover, or move them
into bytea columns. vacuumlo finds those that no row refers to any more.`,
  check: ({ source }) =>
    source.objects.largeObjects === 0
      ? []
      : [
          {
            title: `${source.objects.largeObjects} large objects are not replicated: they are carried before each switch, and must rest then`,
            object: 'pg_largeobject',
          },
        ],
};

const materializedViews: Rule = {
  id: 'PGG162',
  title: 'materialized views',
  severity: 'note',
  background: `A materialized view's rows are not replicated. pgglide refreshes those that are populated on the source, on the target at the end
of sync and again before each switch, outside the pause (CONCURRENTLY where a unique index allows); one that is not populated
stays so. What is written between that refresh and the pause shows at the next REFRESH. pgglide plan shows the time it takes.`,
  check({ source }) {
    const views = source.objects.materializedViews.map(qualified);
    if (views.length === 0) return [];
    return [{ title: `materialized views are refreshed on the target, not replicated: ${some(views)}` }];
  },
};

const foreignTables: Rule = {
  id: 'PGG163',
  title: 'foreign tables',
  severity: 'note',
  background: `Foreign tables move as definitions: the target asks the same foreign servers, so it must reach them, and user mappings with
passwords must be readable or written anew.`,
  check({ source }) {
    const tables = source.objects.foreignTables.map(qualified);
    if (tables.length === 0) return [];
    return [
      {
        title: `the target must reach the foreign servers of ${some(tables)}`,
        detail: 'Their rows stay where they are; user mappings may have to be written anew.',
      },
    ];
  },
};

const eventTriggers: Rule = {
  id: 'PGG164',
  title: 'no event trigger fires on our DDL',
  severity: 'warning',
  background: `Event triggers fire on every CREATE, ALTER and DROP, ours included (on login, too, from 17 on): one that refuses or rewrites DDL
stops the migration, one that logs it logs ours. Disable it for the time of the migration, and enable it again on both sides after it.`,
  check: (facts) =>
    SIDES.flatMap((side) =>
      serverOf(facts, side).eventTriggers.map(
        ({ name, event }): Report => ({
          title: `event trigger ${name} (${event}) on the ${side} fires on our DDL`,
          object: name,
          detail: `Afterwards: ALTER EVENT TRIGGER ${quoteName(name)} ENABLE;`,
          fix: `ALTER EVENT TRIGGER ${quoteName(name)} DISABLE;`,
          fixOn: side,
        }),
      ),
    ),
};

const isOurs = (name: string): boolean => name.startsWith('pgglide_');

const publications: Rule = {
  id: 'PGG165',
  title: 'nobody else publishes from either database',
  severity: 'note',
  background: `Publications of others (Debezium, other replicas) are part of no dump of ours: their subscribers follow the source, which nobody
writes to after the switch. Make the publications on the target and hand their consumers over at the cutover. Those that the target
has already send on what arrives there, the rows of the copy included.`,
  check: ({ source, target }) => [
    ...othersOf(source, (names) => `publications that are not carried over: ${names}`),
    ...othersOf(target, (names) => `publications of the target, which send on what arrives: ${names}`),
  ],
};

function othersOf({ publications }: ServerFacts, title: (names: string) => string): Report[] {
  const others = publications.filter((name) => !isOurs(name));
  return others.length === 0 ? [] : [{ title: title(some(others)), detail: others.join(', ') }];
}

/** Its publisher is the other side of the migration: the slot that it reads from is there. */
const readsFrom = (one: SubscriptionFact, publisher: ServerFacts): boolean =>
  publisher.slots.some((slot) => slot.name === one.slotName && slot.database === publisher.identity.database);

function judgeSubscription(one: SubscriptionFact, side: Side, facts: PreflightFacts): Report {
  const fix = `ALTER SUBSCRIPTION ${quoteName(one.name)} DISABLE;`;
  const common = { object: one.name, fix, fixOn: side };
  const other = otherSide(side);
  if (readsFrom(one, serverOf(facts, other))) {
    return {
      ...common,
      severity: 'blocker',
      title: `subscription ${one.name} of the ${side} reads from the ${other}: rows would ${side === 'source' ? 'come back' : 'arrive twice'}`,
      detail:
        'The link stops at the first duplicate key. Better drop it: disabled, its publisher keeps WAL for it.',
      blocks: 'a link between the two servers',
    };
  }
  if (side === 'target') {
    return {
      ...common,
      title: `subscription ${one.name} writes on the target`,
      detail: 'Disabled, its publisher keeps WAL for it: do it for the time of the migration only.',
    };
  }
  return {
    ...common,
    title: `subscription ${one.name} brings rows to the source from elsewhere: hand it over at the cutover`,
    detail:
      'Until then its rows are replicated on to the target. Disable it just before the cutover, which refuses otherwise: its publisher keeps WAL for it from then on.',
  };
}

const subscriptions: Rule = {
  id: 'PGG166',
  title: 'nobody else feeds either database',
  severity: 'warning',
  background: `A subscription of the source brings rows from elsewhere. pgglide's link carries them on to the target, whatever their origin; but
after the cutover its worker would go on writing on the source, where no fence stops it, and the target would lack those rows. So cutover
and rollback refuse while a subscription of others is enabled for a replicated table, on either side. Hand it over: DISABLE it on
the old side, note SELECT remote_lsn FROM pg_replication_origin_status WHERE external_id = 'pg_' || (its oid in pg_subscription); after
the switch CREATE SUBSCRIPTION on the new side WITH (enabled = false, create_slot = false, copy_data = false, slot_name = the same), SELECT
pg_replication_origin_advance('pg_' || (its new oid), that position), ENABLE. On the old one SET (slot_name = NONE) keeps the slot from being
dropped with it. Enabled on both sides, each row would come twice: by itself, and through our link, which stops at the first
duplicate key; a server before 16 cannot leave out what others have sent (origin = none). For the same reason neither side may
subscribe to the other but through pgglide.`,
  check: (facts) =>
    SIDES.flatMap((side) =>
      serverOf(facts, side)
        .subscriptions.filter((one) => !isOurs(one.name) && one.isEnabled)
        .map((one) => judgeSubscription(one, side, facts)),
    ),
};

function judgeSlot(slot: ReplicationSlot, migration: string): Report[] {
  if (slot.isTemporary || slot.name.startsWith(linkPrefix(migration))) return [];
  const held = slot.retainedBytes === undefined ? '' : `, holding ${bytesInWords(slot.retainedBytes)} of WAL`;
  const drop = { fix: `SELECT pg_drop_replication_slot(${quoteText(slot.name)});`, object: slot.name };
  if (!slot.isActive) {
    const detail = 'Only if nobody will come back for it: its consumer would have to begin anew.';
    return [{ title: `replication slot ${slot.name} has no consumer${held}`, detail, ...drop }];
  }
  if (slot.kind === 'physical' || isOurs(slot.name)) return [];
  return [
    {
      severity: 'note',
      title: `replication slot ${slot.name} does not move: hand its consumer over at the cutover`,
      object: slot.name,
    },
  ];
}

const slots: Rule = {
  id: 'PGG167',
  title: 'no replication slot is left over',
  severity: 'warning',
  background: `A slot keeps WAL until its consumer has read it; one without a consumer keeps it for ever and fills the disk in the end. Drop it if
nobody will come back for it. Slots of running consumers (Debezium and others) belong to the old cluster: after the switch they see no
new changes, so their consumers must be pointed at a new slot on the target.`,
  check: (facts) =>
    SIDES.flatMap((side) =>
      serverOf(facts, side)
        .slots.flatMap((slot) => judgeSlot(slot, facts.migration))
        .map((report) => (report.fix === undefined ? report : { ...report, fixOn: side })),
    ),
};

const tablespaces: Rule = {
  id: 'PGG168',
  title: 'every tablespace exists on the target',
  severity: 'warning',
  background: `A tablespace is a directory of the server's host. Where the target has none of the same name the tables go into its default
tablespace. To keep them apart, make the directory there and run CREATE TABLESPACE before sync.`,
  check({ source, target }) {
    const there = new Set(target.tablespaces);
    return source.objects.usedTablespaces
      .filter((name) => !there.has(name))
      .map((name) => ({
        title: `tablespace ${name} does not exist on the target: the default one is used`,
        object: name,
        detail: `To have it: CREATE TABLESPACE ${quoteName(name)} LOCATION '...'; on the target.`,
      }));
  },
};

const isOfAnother = (name: string, migration: string): boolean =>
  isOurs(name) && !name.startsWith(linkPrefix(migration));

function linksOfOthers(side: Side, facts: PreflightFacts): Report[] {
  const { publications: published, subscriptions: subscribed } = serverOf(facts, side);
  const names = [...published, ...subscribed.map(({ name }) => name)];
  const found = [...new Set(names)].filter((name) => isOfAnother(name, facts.migration));
  if (found.length === 0) return [];
  return [
    {
      title: `another migration uses the ${side}: its link${found.length === 1 ? '' : 's'} ${some(found)}`,
      object: `database ${serverOf(facts, side).identity.database}`,
      detail:
        'End that one first, with its own configuration: pgglide complete, or pgglide abort. If its other server is gone, drop what is named here, and its slots.',
    },
  ];
}

function fenceOfAnother(side: Side, facts: PreflightFacts): Report[] {
  const { fencedTables, identity } = facts[side];
  if (fencedTables === 0) return [];
  return [
    {
      title: `an earlier migration has left its fence on ${fencedTables} tables of the ${side}, which refuse writes`,
      object: `database ${identity.database}`,
      detail:
        'If nobody writes to them any more: pgglide complete --drop-fence, with the configuration of that migration.',
    },
  ];
}

const otherMigrations: Rule = {
  id: 'PGG185',
  title: 'no other migration uses these databases',
  severity: 'blocker',
  background: `Two migrations of one database would share what pgglide keeps in its schema there: the markers that tell when everything has
arrived, and the fence. One would overwrite the other's, and abort of one would take them away from both. So a database takes part in one
migration at a time: a rehearsal into another target comes before or after. A database that an earlier migration has left with its fence
raised (pgglide complete keeps it) gives it up with pgglide complete --drop-fence: a switch of the next migration would lift it.`,
  check(facts) {
    const { target } = facts;
    const reports = SIDES.flatMap((side) => linksOfOthers(side, facts));
    if (target.otherMigrations.length > 0)
      reports.push({
        title: `the target holds a migration that is not over: ${some(target.otherMigrations)}`,
        object: `database ${target.identity.database}`,
        detail:
          'End it first, with its own configuration: pgglide complete, or pgglide abort. Or name it: --migration.',
      });
    if (!isUnderWay(target)) reports.push(...SIDES.flatMap((side) => fenceOfAnother(side, facts)));
    return reports;
  },
};

export const objectRules: readonly Rule[] = [
  unlogged,
  largeObjects,
  materializedViews,
  foreignTables,
  eventTriggers,
  publications,
  subscriptions,
  slots,
  tablespaces,
  otherMigrations,
];
