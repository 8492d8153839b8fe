/** PGG138 to 142, 144, 145: parts of the schema that behave differently under replication. */

import { OWN_SCHEMA, qualified, SIDES } from '../names.ts';
import { serverOf, type TriggerFact } from './facts.ts';
import { quoteName, quoteTable } from './quote.ts';
import type { Report, Rule } from './rule.ts';
import { unqualifiedNames } from './unqualified.ts';
import { some } from './words.ts';

const unvalidated: Rule = {
  id: 'PGG138',
  title: 'every constraint is validated',
  severity: 'note',
  background: `A constraint that is NOT VALID holds for new rows only. pgglide creates such constraints after the copy and leaves them NOT VALID,
so that old rows that break them arrive as they are. Validate it on the source if the rows are in order.`,
  check: ({ source }) =>
    source.objects.unvalidated.map(({ table, name, kind }) => ({
      title: `${kind} ${name} on ${qualified(table)} is NOT VALID and stays so`,
      object: qualified(table),
      fix: `ALTER TABLE ${quoteTable(table)} VALIDATE CONSTRAINT ${quoteName(name)};`,
      fixOn: 'source' as const,
    })),
};

const leavingScope: Rule = {
  id: 'PGG139',
  title: 'no foreign key leaves the scope',
  severity: 'warning',
  background: `The table that the key refers to is not in the scope, so it will not be on the target, and the key cannot be made there. Take the
table into the scope, or live without the key.`,
  check: ({ source }) =>
    source.objects.foreignKeysAcross
      .filter((key) => key.fromInScope && !key.toInScope)
      .map((key) => ({
        title: `foreign key ${key.name} of ${qualified(key.from)} refers to ${qualified(key.to)}, which is out of scope`,
        object: qualified(key.from),
        detail: 'Add that table to scope, or the key is not carried over.',
      })),
};

const truncateCascade: Rule = {
  id: 'PGG140',
  title: 'TRUNCATE can be replicated',
  severity: 'warning',
  background: `A replicated TRUNCATE empties exactly the replicated tables. When a table that is not replicated (unlogged, or out of scope) refers
to one of them, the subscriber refuses: "cannot truncate a table referenced in a foreign key constraint", and the apply worker
stops. That table is on the target when it is unlogged, and on the source for the way back.`,
  check: ({ source }, { wantsReverse }) =>
    source.objects.foreignKeysAcross
      .filter((key) => !key.fromIsReplicated && key.toInScope && (key.fromInScope || wantsReverse))
      .map(
        (key): Report => ({
          title: `a TRUNCATE of ${qualified(key.to)} cannot be replicated: ${qualified(key.from)} refers to it and is not replicated`,
          object: qualified(key.to),
          ...(key.fromInScope
            ? { fix: `ALTER TABLE ${quoteTable(key.from)} SET LOGGED;`, fixOn: 'source' }
            : { detail: 'Add that table to scope, or do not TRUNCATE during the migration.' }),
        }),
      ),
};

const hashedByEnum: Rule = {
  id: 'PGG141',
  title: 'no table is partitioned by the hash of an enum',
  severity: 'note',
  background: `An enum's hash is made of OIDs, which differ between clusters: a row that is in one leaf on the source belongs into another on the
target. pgglide copies and publishes through the root, so every row finds its place; compare such tables at the root, never leaf by leaf.`,
  check: ({ source }) =>
    source.objects.hashedByEnum.map((table) => ({
      title: `${qualified(table)} is partitioned by the hash of an enum: rows sit in other leaves on the target`,
      object: qualified(table),
    })),
};

const ownSchema: Rule = {
  id: 'PGG142',
  title: `the schema "${OWN_SCHEMA}" is free`,
  severity: 'blocker',
  background: `pgglide keeps its marker, fence and state in a schema of its own name, and removes that schema at the end. A schema of this name
that somebody else made must be renamed first.`,
  check: (facts) =>
    SIDES.filter((side) => {
      const tables = serverOf(facts, side).ownSchemaTables;
      return tables.length > 0 && !tables.includes('installed');
    }).map(
      (side): Report => ({
        title: `the ${side} has a schema "${OWN_SCHEMA}" that is not ours`,
        object: OWN_SCHEMA,
        detail: `It holds ${some(serverOf(facts, side).ownSchemaTables)}.`,
        fix: `ALTER SCHEMA ${OWN_SCHEMA} RENAME TO ${OWN_SCHEMA}_other;`,
        fixOn: side,
      }),
    ),
};

const unqualified: Rule = {
  id: 'PGG144',
  title: 'functions that replication runs find what they call',
  severity: 'warning',
  background: `Functions in generated columns, index expressions, extended statistics, partition keys, CHECK constraints, domains, operators,
range types and ENABLE ALWAYS or REPLICA triggers are run by the apply worker, by CREATE INDEX or by ANALYZE, with an empty search_path. What such a function calls by its bare name (norm() instead of public.norm()) is not found
there: the worker fails at the first row, again and again, and the copy fails. Give the function a search_path of its own, or qualify the names. The check
reads the function's text by words and may name one too many.`,
  check: ({ source }) =>
    source.objects.routines.flatMap((routine): Report[] => {
      const names = unqualifiedNames(routine, source.objects.knownNames);
      if (names.length === 0) return [];
      const schemas = [...new Set(names.map((name) => name.schema))].map(quoteName);
      return [
        {
          title: `${routine.signature} relies on search_path for ${some(names.map((name) => name.name))}`,
          object: routine.signature,
          detail: `used by ${some(routine.usedBy)}`,
          fix: `ALTER ROUTINE ${routine.signature} SET search_path = ${['pg_catalog', ...schemas, 'pg_temp'].join(', ')};`,
          fixOn: 'source',
          blocks: 'applying changes of that table',
        },
      ];
    }),
};

const alwaysTriggers: Rule = {
  id: 'PGG145',
  title: 'no trigger fires for replicated rows',
  severity: 'warning',
  background: `Triggers fire where the application writes; what they write is replicated as rows. A trigger that is ENABLE ALWAYS or ENABLE
REPLICA fires for the apply worker too: an audit row is written twice, a notification sent twice. Ordinary triggers (the default) do
not. Make an ALWAYS one an ordinary one, unless it is meant to run on every copy of the row. A REPLICA one never fires for the
application's writes and must not begin to: disable it, if the rows that arrive need it not.`,
  check: ({ source }) => source.objects.triggers.map(judgeTrigger),
};

function judgeTrigger({ table, name, firing }: TriggerFact): Report {
  const set = (state: string) => `ALTER TABLE ${quoteTable(table)} ${state} TRIGGER ${quoteName(name)};`;
  const common = { object: qualified(table), fixOn: 'source' } as const;
  return firing === 'always'
    ? {
        ...common,
        title: `trigger ${name} on ${qualified(table)} is ENABLE ALWAYS: it fires for replicated rows too`,
        fix: set('ENABLE'),
      }
    : {
        ...common,
        title: `trigger ${name} on ${qualified(table)} is ENABLE REPLICA: it fires for replicated rows, and only for those`,
        detail: 'Only if the rows that arrive need it not. Afterwards, as it was: ENABLE REPLICA TRIGGER.',
        fix: set('DISABLE'),
      };
}

export const schemaRules: readonly Rule[] = [
  unvalidated,
  leavingScope,
  truncateCascade,
  hashedByEnum,
  ownSchema,
  unqualified,
  alwaysTriggers,
];
