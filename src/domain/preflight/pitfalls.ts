/** PGG148, 149, 187 to 189: what copies or applies other than it was written. */

import { qualified, SIDES, type Side } from '../names.ts';
import { type PreflightFacts, type ServerFacts, serverOf, settingOf, type TableFact } from './facts.ts';
import { addKey, setForOurRole } from './fix.ts';
import { quoteName, quoteTable } from './quote.ts';
import type { Report, Rule } from './rule.ts';

const readingChecks: Rule = {
  id: 'PGG187',
  title: 'no CHECK constraint reads other tables',
  severity: 'warning',
  background: `A CHECK whose function reads another table holds only while that table is as it was when the row was written. The copy fills
tables in any order, so the target refuses rows that are right: "violates check constraint", at every run. A constraint that is NOT VALID
comes after the copy, and still holds for new rows: make it one. The statement takes an ACCESS EXCLUSIVE lock for a moment.`,
  check: ({ source }) =>
    source.objects.pitfalls.checksThatRead.map(
      ({ table, constraint, definition, function: called, reads }) => ({
        title: `check constraint ${constraint} on ${qualified(table)} calls ${called}, which reads ${reads}: the copy may violate it`,
        object: qualified(table),
        fix: `ALTER TABLE ${quoteTable(table)} DROP CONSTRAINT ${quoteName(constraint)}, ADD CONSTRAINT ${quoteName(constraint)} ${definition} NOT VALID;`,
        fixOn: 'source',
        blocks: 'the copy of that table',
      }),
    ),
};

const unvalidatedDomains: Rule = {
  id: 'PGG188',
  title: 'every constraint of a domain is validated',
  severity: 'warning',
  background: `A domain's constraint that is NOT VALID lets old values be, and the source goes on updating their rows. The apply worker reads
every value of a row anew, as a value of the domain, and refuses: the link stops at the first UPDATE of such a row. Validate the
constraint; where that fails, mend the values that it names, or drop it on the target after sync until the migration is complete.`,
  check: ({ source }) =>
    source.objects.pitfalls.unvalidatedDomains.map(({ constraint, ...domain }) => ({
      title: `constraint ${constraint} of domain ${qualified(domain)} is NOT VALID: an UPDATE of a row that breaks it stops the link`,
      object: qualified(domain),
      fix: `ALTER DOMAIN ${quoteTable(domain)} VALIDATE CONSTRAINT ${quoteName(constraint)};`,
      fixOn: 'source',
      detail: `If that fails: mend the values, or after sync, on the target until complete: ALTER DOMAIN ${quoteTable(domain)} DROP CONSTRAINT ${quoteName(constraint)};`,
      blocks: 'applying changes of such rows',
    })),
};

/** Settings by which the apply worker reads what the other side sends as text, and what lets it read all of that. */
const READING = {
  xmloption: { of: 'hasXml', wanted: () => 'content' },
  array_nulls: { of: 'hasArrays', wanted: () => 'on' },
  client_encoding: { of: 'hasNonAsciiNames', wanted: ({ identity }: ServerFacts) => identity.encoding },
} as const;
type Reading = keyof typeof READING;

/** What a worker that starts on this side after the sync has: the source's setting of the database is carried to the target. */
function setting(facts: PreflightFacts, side: Side, name: Reading): string | undefined {
  const server = serverOf(facts, side);
  const { name: role } = server.role;
  const stored = (of: Side, by: { role?: string; everywhere?: boolean }) =>
    serverOf(facts, of).storedSettings.find(
      (one) =>
        one.name === name &&
        one.role === by.role &&
        one.database === (by.everywhere ? undefined : serverOf(facts, of).identity.database),
    )?.value;
  const own = stored(side, { role });
  const carried = side === 'target' ? stored('source', {}) : undefined;
  if (name !== 'client_encoding') return own ?? carried ?? settingOf(server, name);
  // Our own session tells the server which encoding it speaks: only what is stored shows what a worker has.
  return own ?? stored(side, { role, everywhere: true }) ?? carried ?? stored(side, {});
}

/** "utf-8" is UTF8. */
const spelled = (value: string): string => value.toLowerCase().replace(/[^a-z0-9]/g, '');

const readingSettings: Rule = {
  id: 'PGG189',
  title: 'settings let the apply worker read every value',
  severity: 'warning',
  background: `xmloption = document, array_nulls = off and a client_encoding of a database or of our role count for the apply worker, too,
which runs as the subscription's owner. It then refuses an xml value that is no document, takes NULL in an array for the word, and reads
names of tables and columns in that encoding, though they come in the database's: the link stops at one that is not ASCII. The fix sets
what reads everything for our role in this database only: the application keeps its own, and sync carries it to the target.`,
  check: (facts) =>
    SIDES.flatMap((side) =>
      (Object.keys(READING) as Reading[]).flatMap((name): Report[] => {
        const server = serverOf(facts, side);
        const value = setting(facts, side, name);
        const wanted = READING[name].wanted(server);
        const isRead = facts.source.objects.pitfalls[READING[name].of];
        if (!isRead || value === undefined || spelled(value) === spelled(wanted)) return [];
        return [
          {
            title: `${name} is ${value} for the apply worker on the ${side}: it cannot read every ${name === 'client_encoding' ? 'name' : 'value'}`,
            object: name,
            fix: setForOurRole(server, name, wanted),
            fixOn: side,
            blocks: 'applying changes of such tables',
          },
        ];
      }),
    ),
};

/** Whole, over NOT NULL columns: no two rows are equal then. */
const isDistinct = (table: TableFact): boolean =>
  table.indexes.some(
    (index) =>
      index.isUnique &&
      index.isImmediate &&
      index.isValid &&
      !index.isPartial &&
      !index.hasExpressions &&
      index.columnsNotNull,
  );

const coarseEquality: Rule = {
  id: 'PGG148',
  title: 'equal rows of REPLICA IDENTITY FULL tables are the same',
  severity: 'warning',
  background: `With REPLICA IDENTITY FULL and no key a subscriber takes the first row that is equal to the old one. Values may be equal and
not the same: citext 'A' and 'a', numeric 1.0 and 1.00, float 0 and -0, interval, jsonb, text under a nondeterministic collation. Where two
rows differ in nothing else it may change the wrong one, and pgglide verify then tells a difference. Only a key tells them apart.`,
  check: ({ source }) =>
    source.objects.pitfalls.coarseColumns.flatMap(({ table: name, columns }): Report[] => {
      const table = source.objects.tables.find((one) => qualified(one) === qualified(name));
      if (table === undefined || table.isUnlogged || isDistinct(table)) return [];
      return [
        {
          title: `rows of ${qualified(name)} may be equal and not the same: ${columns.join(', ')}`,
          object: qualified(name),
          ...addKey(table),
        },
      ];
    }),
};

const reorderedChildren: Rule = {
  id: 'PGG149',
  title: 'inheritance children keep the order of their columns',
  severity: 'warning',
  background: `A table that was attached with ALTER TABLE ... INHERIT keeps the order of its columns; pg_dump writes CREATE TABLE ... INHERITS,
which puts the parents' columns first. On the target SELECT * and INSERT without a column list then mean other columns. Name the columns,
or make the table anew in that order on the source.`,
  check: ({ source }) =>
    source.objects.pitfalls.reorderedChildren.map(({ table, onSource, onTarget }) => ({
      title: `columns of ${qualified(table)} come in another order on the target: ${onTarget.join(', ')}, and here ${onSource.join(', ')}`,
      object: qualified(table),
    })),
};

export const pitfallRules: readonly Rule[] = [
  readingChecks,
  unvalidatedDomains,
  readingSettings,
  coarseEquality,
  reorderedChildren,
];
