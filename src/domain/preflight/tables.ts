/** PGG130 to 136, 146, 150, 155: can each table's UPDATE and DELETE be replicated, and found again on the other side? */

import { qualified } from '../names.ts';
import { majorVersion, type PreflightFacts, type ServerFacts, type TableFact } from './facts.ts';
import { addKey, giveIdentity } from './fix.ts';
import { quoteName, quoteTable } from './quote.ts';
import type { Report, Rule } from './rule.ts';

const STOPS_THE_APPLICATION = 'publishing the table: its UPDATE and DELETE would fail on the source at once';

/** Partitioned tables count too: through the root the publisher describes rows by the root's identity. */
const published = ({ source }: PreflightFacts): TableFact[] =>
  source.objects.tables.filter((table) => !table.isUnlogged);

const primaryKey = (table: TableFact) => table.indexes.find((index) => index.isPrimary);
const hasUsableKey = (table: TableFact): boolean =>
  table.indexes.some((index) => index.isPrimary && index.isValid && index.isImmediate);

const each = (
  facts: PreflightFacts,
  applies: (table: TableFact) => boolean,
  report: (table: TableFact) => Report,
): Report[] =>
  published(facts)
    .filter(applies)
    .map((table) => ({ object: qualified(table), ...report(table) }));

const missing: Rule = {
  id: 'PGG131',
  title: 'every table has a replica identity',
  severity: 'blocker',
  background: `To replicate an UPDATE or DELETE the publisher must say which row it was: by the primary key, by a unique index over NOT NULL
columns, or by the whole old row (REPLICA IDENTITY FULL). A table with none of them can be published, and from that moment the
application's own UPDATE fails on the source: "cannot update table because it does not have a replica identity and publishes
updates". So pgglide refuses to publish it. The fix names the best way this table offers; none of the three locks it for long.`,
  check: (facts) =>
    each(
      facts,
      (table) => table.replicaIdentity === 'default' && primaryKey(table) === undefined,
      (table) => ({
        title: `table ${qualified(table)} has no primary key: UPDATE and DELETE would fail while published`,
        blocks: STOPS_THE_APPLICATION,
        ...giveIdentity(table),
      }),
    ),
};

const deferrable: Rule = {
  id: 'PGG132',
  title: 'no primary key is deferrable',
  severity: 'blocker',
  background: `A DEFERRABLE primary key does not identify rows for replication (between its check and the end of the transaction two rows may
have the same key), so an UPDATE of a published table fails as if it had none. Name another unique index as replica identity, or FULL.`,
  check: (facts) =>
    each(
      facts,
      (table) => table.replicaIdentity === 'default' && primaryKey(table)?.isImmediate === false,
      (table) => ({
        title: `the primary key of ${qualified(table)} is deferrable: it does not identify rows`,
        blocks: STOPS_THE_APPLICATION,
        ...giveIdentity(table),
      }),
    ),
};

const nothing: Rule = {
  id: 'PGG133',
  title: 'no table has REPLICA IDENTITY NOTHING',
  severity: 'blocker',
  background: `REPLICA IDENTITY NOTHING says that old rows are not written to the WAL; UPDATE and DELETE of a published table then fail.`,
  check: (facts) =>
    each(
      facts,
      (table) => table.replicaIdentity === 'nothing',
      (table) => ({
        title: `table ${qualified(table)} has REPLICA IDENTITY NOTHING`,
        blocks: STOPS_THE_APPLICATION,
        ...giveIdentity(table),
      }),
    ),
};

const identityBroken = (table: TableFact): boolean =>
  (table.replicaIdentity === 'index' &&
    !table.indexes.some((index) => index.isReplicaIdentity && index.isValid && index.isImmediate)) ||
  (table.replicaIdentity === 'default' && primaryKey(table)?.isValid === false);

const broken: Rule = {
  id: 'PGG134',
  title: 'every replica identity index is there and valid',
  severity: 'blocker',
  background: `The table says that an index identifies its rows, and that index was dropped or is not valid. PostgreSQL keeps the setting and
treats the table as one without any identity.`,
  check: (facts) =>
    each(facts, identityBroken, (table) => ({
      title: `the replica identity index of ${qualified(table)} was dropped or is not valid`,
      blocks: STOPS_THE_APPLICATION,
      ...giveIdentity(table),
    })),
};

/** With FULL a subscriber still looks for the row by the primary key. */
const identifiedByGenerated = (table: TableFact): boolean =>
  table.indexes.some(
    (index) =>
      index.hasGeneratedColumn &&
      (table.replicaIdentity === 'index'
        ? index.isReplicaIdentity
        : table.replicaIdentity !== 'nothing' && index.isPrimary),
  );

const generated: Rule = {
  id: 'PGG146',
  title: 'no replica identity holds a generated column',
  severity: 'blocker',
  background: `Generated columns are not replicated: each side computes its own. A primary key or replica identity index over one so tells a
subscriber nothing, and its apply worker stops at the first UPDATE or DELETE: "publisher did not send replica identity column
expected by the logical replication target relation". REPLICA IDENTITY FULL does not help while the primary key holds such a column:
the subscriber looks at that first. A publisher of 18 refuses the application's own UPDATE. Name another unique index over NOT NULL columns.`,
  check: (facts) =>
    each(facts, identifiedByGenerated, (table) => ({
      title: `rows of ${qualified(table)} are identified by a generated column, which is not replicated`,
      blocks: 'applying its UPDATE and DELETE',
      ...giveIdentity(table),
    })),
};

/** Below this a whole-table search a row is not felt. */
const SMALL_TABLE_ROWS = 1000;

/** From 16 on a subscriber searches by any whole btree index that starts with a column; before, by primary key only. */
function isSearchedInWhole(table: TableFact, facts: PreflightFacts, wantsReverse: boolean): boolean {
  const anyIndex = table.indexes.some(
    (index) => index.isValid && index.isBtree && !index.isPartial && index.leadsWithColumn,
  );
  return hasOlderSubscriber(facts, wantsReverse) || !anyIndex;
}

const hasOlderSubscriber = (facts: PreflightFacts, wantsReverse: boolean): boolean =>
  (wantsReverse && majorVersion(facts.source) < 16) || majorVersion(facts.target) < 16;

const fullWithoutIndex: Rule = {
  id: 'PGG135',
  title: 'rows of REPLICA IDENTITY FULL tables are found by an index',
  severity: 'warning',
  background: `With REPLICA IDENTITY FULL the subscriber gets the whole old row and must find it. From PostgreSQL 16 on it uses any btree index
that starts with a plain column; before 16 only a primary key. Without one every single UPDATE reads the whole table: 5,000
updates of 100,000 rows took 26 s, with an index 0.14 s. The subscriber is the target while following, and the source
after the cutover. On a subscriber of 16 or later pgglide builds an index itself where none is (pgglide_helper_*, dropped by
complete and abort), so it is only noted; a source before 16 is slow on the way back, and only a key of yours mends that. Small tables (under ${SMALL_TABLE_ROWS} rows) are only noted.`,
  check: (facts, { wantsReverse }) =>
    each(
      facts,
      (table) =>
        table.replicaIdentity === 'full' &&
        !table.isPartitioned &&
        !hasUsableKey(table) &&
        table.incomparableColumns.length === 0 &&
        isSearchedInWhole(table, facts, wantsReverse),
      (table) => ({
        severity:
          table.estimatedRows < SMALL_TABLE_ROWS || !hasOlderSubscriber(facts, wantsReverse)
            ? 'note'
            : 'warning',
        title: `each UPDATE of ${qualified(table)} is searched through the whole table on a subscriber`,
        ...keyInsteadOfFull(table),
      }),
    ),
};

const fullIncomparable: Rule = {
  id: 'PGG136',
  title: 'rows of REPLICA IDENTITY FULL tables can be compared',
  severity: 'blocker',
  background: `With REPLICA IDENTITY FULL and no primary key the apply worker compares whole rows, and json, xml, point and some others have no
equality: "could not identify an equality operator". The worker fails on the first UPDATE and again at every attempt.`,
  check: (facts) =>
    each(
      facts,
      (table) =>
        table.replicaIdentity === 'full' &&
        !table.isPartitioned &&
        !hasUsableKey(table) &&
        table.incomparableColumns.length > 0,
      (table) => ({
        title: `rows of ${qualified(table)} cannot be compared: ${table.incomparableColumns.join(', ')}`,
        blocks: 'applying its UPDATE and DELETE',
        ...giveIdentity(table),
      }),
    ),
};

/** A unique index if there is one; FULL itself is what is wrong here. */
function keyInsteadOfFull(table: TableFact): Pick<Report, 'fix' | 'fixOn' | 'detail'> {
  const better = giveIdentity(table);
  if (better.fix?.includes('REPLICA IDENTITY FULL') !== true) return better;
  const key = addKey(table);
  return key.fix === undefined
    ? key
    : { ...key, detail: `${key.detail} A primary key of your own is as good.` };
}

const invalidIndexes: Rule = {
  id: 'PGG130',
  title: 'every index is valid',
  severity: 'warning',
  background: `A CREATE INDEX CONCURRENTLY that failed leaves an index behind that is maintained but never used. pg_dump leaves it out without
a word, so it will not be on the target. Build it anew if it is wanted (a unique one fails as long as there are duplicates), drop it if not.`,
  check: ({ source }) =>
    source.objects.invalidIndexes.map(({ index, table }) => ({
      object: qualified(table),
      title: `index ${qualified(index)} is invalid: it will not be on the target`,
      fix: `REINDEX INDEX CONCURRENTLY ${quoteTable(index)};`,
      fixOn: 'source' as const,
      detail: `Or: DROP INDEX CONCURRENTLY ${quoteName(index.schema)}.${quoteName(index.name)};`,
    })),
};

const isRoot = (table: TableFact): boolean => table.isPartitioned && table.root === undefined;
const mayCreateEventTriggers = ({ role }: ServerFacts): boolean =>
  role.isSuperuser || role.isManagedSuperuser;

const newPartitions: Rule = {
  id: 'PGG150',
  title: 'new partitions have a replica identity',
  severity: 'warning',
  background: `A new partition does not inherit REPLICA IDENTITY FULL (or USING INDEX) of its parent, only a primary key. A partition that is
created or attached while its root is published, and has no key, so makes the application's own UPDATE and DELETE fail at once: "cannot
update table because it does not have a replica identity and publishes updates". Where our role may create event triggers (a superuser, or
the managed service's stand-in) one of ours sets REPLICA IDENTITY FULL in the same transaction, and this is only noted. Elsewhere create
new partitions with it in one transaction, or give the root a primary key.`,
  check: (facts) =>
    each(
      facts,
      (table) => isRoot(table) && !hasUsableKey(table),
      (table) => ({
        severity: [facts.source, facts.target].every(mayCreateEventTriggers) ? 'note' : 'warning',
        title: `a new partition of ${qualified(table)} has no replica identity of its own: UPDATE and DELETE of it fail while published`,
        detail:
          'In the transaction that creates or attaches it: ALTER TABLE ... REPLICA IDENTITY FULL; where our role may create event triggers, one of ours does it.',
      }),
    ),
};

const unloggedTree: Rule = {
  id: 'PGG155',
  title: 'no partitioned table is UNLOGGED',
  severity: 'blocker',
  background: `CREATE UNLOGGED TABLE ... PARTITION BY says nothing of the partitions: each is logged unless it was made UNLOGGED itself. But no
publication takes such a table, so that the rows of its logged partitions would be carried by nobody, and PostgreSQL 18 does not take
it at all. ALTER TABLE ... SET LOGGED does not change it. Make it anew without UNLOGGED in one transaction: rename it, CREATE TABLE ...
(LIKE ... INCLUDING ALL) PARTITION BY ..., DETACH each partition from the old and ATTACH it to the new one; foreign keys, triggers, policies
and grants must be said anew.`,
  check: ({ source }) =>
    source.objects.tables
      .filter((table) => table.isPartitioned && table.isUnlogged)
      .map((table) => ({
        title: `partitioned table ${qualified(table)} is UNLOGGED: nothing would carry the rows of its logged partitions`,
        object: qualified(table),
        detail: 'Make it anew without UNLOGGED, and attach its partitions to that.',
        blocks: 'publishing the table',
      })),
};

export const tableRules: readonly Rule[] = [
  invalidIndexes,
  missing,
  deferrable,
  nothing,
  broken,
  fullWithoutIndex,
  fullIncomparable,
  generated,
  newPartitions,
  unloggedTree,
];
