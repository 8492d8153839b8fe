/** What the source's database holds besides ordinary rows. Catalogs only. */

import type { TableName } from '../../domain/names.ts';
import type {
  ConstraintFact,
  ForeignKeyFact,
  SequenceFact,
  SourceObjects,
  TriggerFact,
} from '../../domain/preflight/facts.ts';
import type { Scope } from '../../domain/scope.ts';
import type { Connection } from '../connection.ts';
import { firesInReplica } from '../replica-trigger.ts';
import { belongsToExtension, relationInScope, schemaInScope } from '../scope.ts';
import { type Sql, sql } from '../sql.ts';
import { mayActAs } from './own-role.ts';
import { readPitfalls } from './pitfalls.ts';
import { readRoutines } from './routines.ts';
import { readTables } from './tables.ts';

export async function readSourceObjects(connection: Connection, scope: Scope): Promise<SourceObjects> {
  const ask = <Row extends object>(statement: Sql): Promise<Row[]> => connection.query<Row>(statement);
  const { routines, knownNames } = await readRoutines(connection, scope);
  return {
    tables: await readTables(connection, scope),
    pitfalls: await readPitfalls(connection, scope),
    invalidIndexes: (await ask<InvalidIndexRow>(invalidIndexesSql(scope))).map((row) => ({
      index: { schema: row.indexSchema, name: row.indexName },
      table: { schema: row.schema, name: row.name },
    })),
    unvalidated: (await ask<OnTable<ConstraintFact>>(unvalidatedSql(scope))).map(onTable),
    foreignKeysAcross: (await ask<ForeignKeyRow>(foreignKeysAcrossSql(scope))).map(foreignKey),
    triggers: (await ask<OnTable<TriggerFact>>(triggersSql(scope))).map(onTable),
    hashedByEnum: await ask<TableName>(hashedByEnumSql(scope)),
    rangesOfText: await ask<TableName>(rangesOfTextSql(scope)),
    largeObjects: await countLargeObjects(connection),
    materializedViews: await ask<TableName & { isPopulated: boolean }>(materializedViewsSql(scope)),
    foreignTables: await ask<TableName>(foreignTablesSql(scope)),
    usedTablespaces: (await ask<{ name: string }>(usedTablespacesSql(scope))).map((row) => row.name),
    staleCollations: await ask<TableName>(staleCollationsSql),
    strangeSequences: await ask<SequenceFact>(strangeSequencesSql(scope)),
    ownerRoles: (await ask<{ name: string }>(ownerRolesSql(scope))).map((row) => row.name),
    routines,
    knownNames,
  };
}

interface InvalidIndexRow extends TableName {
  readonly indexSchema: string;
  readonly indexName: string;
}
type OnTable<Fact> = Omit<Fact, 'table'> & { readonly tableSchema: string; readonly tableName: string };

const onTable = <Row extends { tableSchema: string; tableName: string }>({
  tableSchema,
  tableName,
  ...fact
}: Row): Omit<Row, 'tableSchema' | 'tableName'> & { table: TableName } => ({
  ...fact,
  table: { schema: tableSchema, name: tableName },
});

/** The parent index of a partition tree is invalid until each leaf has its part: only real indexes are broken ones. */
const invalidIndexesSql = (scope: Scope): Sql => sql`
  SELECT xn.nspname AS "indexSchema", x.relname AS "indexName", n.nspname AS schema, c.relname AS name
  FROM pg_index i
  JOIN pg_class x ON x.oid = i.indexrelid AND x.relkind = 'i' JOIN pg_namespace xn ON xn.oid = x.relnamespace
  JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT i.indisvalid AND ${relationInScope(scope)}
  ORDER BY 1, 2`;

const unvalidatedSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS "tableSchema", c.relname AS "tableName", k.conname AS name,
    CASE k.contype WHEN 'c' THEN 'check' ELSE 'foreign key' END AS kind
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT k.convalidated AND k.contype IN ('c', 'f') AND ${relationInScope(scope)}
  ORDER BY 1, 2, 3`;

interface ForeignKeyRow extends Omit<ForeignKeyFact, 'from' | 'to'> {
  readonly fromSchema: string;
  readonly fromName: string;
  readonly toSchema: string;
  readonly toName: string;
}
const foreignKey = ({ fromSchema, fromName, toSchema, toName, ...rest }: ForeignKeyRow): ForeignKeyFact => ({
  ...rest,
  from: { schema: fromSchema, name: fromName },
  to: { schema: toSchema, name: toName },
});

/** Replicated means: in scope and logged. Partitions repeat their root's keys, so only the root's are listed. */
const foreignKeysAcrossSql = (scope: Scope): Sql => sql`
  WITH relations AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname, ${relationInScope(scope)} AS in_scope,
      ${relationInScope(scope)} AND c.relpersistence = 'p' AS replicated
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN (SELECT conrelid FROM pg_constraint WHERE contype = 'f'
                    UNION SELECT confrelid FROM pg_constraint WHERE contype = 'f'))
  SELECT k.conname AS name, f.nspname AS "fromSchema", f.relname AS "fromName",
    t.nspname AS "toSchema", t.relname AS "toName",
    f.replicated AS "fromIsReplicated", f.in_scope AS "fromInScope", t.in_scope AS "toInScope"
  FROM pg_constraint k JOIN relations f ON f.oid = k.conrelid JOIN relations t ON t.oid = k.confrelid
  WHERE k.contype = 'f' AND k.conparentid = 0 AND f.replicated IS DISTINCT FROM t.replicated
  ORDER BY 2, 3, 1`;

const triggersSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS "tableSchema", c.relname AS "tableName", t.tgname AS name,
    CASE t.tgenabled WHEN 'A' THEN 'always' ELSE 'replica' END AS firing
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${firesInReplica(sql`t`)} AND ${relationInScope(scope)}
  ORDER BY 1, 2, 3`;

const hashedByEnumSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE p.partstrat = 'h' AND ${relationInScope(scope)} AND EXISTS (
    SELECT FROM unnest(p.partattrs::int2[]) AS k(attnum)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type base ON base.oid = t.typbasetype
    WHERE t.typtype = 'e' OR base.typtype = 'e')
  ORDER BY 1, 2`;

/** Collations "C" and "POSIX" order the same everywhere. */
const rangesOfTextSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE p.partstrat = 'r' AND ${relationInScope(scope)} AND EXISTS (
    SELECT FROM unnest(p.partcollation::oid[]) AS k(oid) JOIN pg_collation l ON l.oid = k.oid
    WHERE l.collname NOT IN ('C', 'POSIX', 'ucs_basic'))
  ORDER BY 1, 2`;

/** Counts no further than it takes to say "many". */
async function countLargeObjects(connection: Connection): Promise<number> {
  const { count } = await connection.one<{ count: number }>(
    sql`SELECT count(*) AS count FROM (SELECT FROM pg_largeobject_metadata LIMIT 1000000) AS some_of_them`,
  );
  return count;
}

const materializedViewsSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS schema, c.relname AS name, c.relispopulated AS "isPopulated"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'm' AND ${relationInScope(scope)} ORDER BY 1, 2`;

const foreignTablesSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'f' AND ${relationInScope(scope)} ORDER BY 1, 2`;

const usedTablespacesSql = (scope: Scope): Sql => sql`
  SELECT DISTINCT t.spcname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_tablespace t ON t.oid = c.reltablespace
  WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I') AND ${schemaInScope(scope)} ORDER BY 1`;

const staleCollationsSql = sql`
  SELECT n.nspname AS schema, l.collname AS name
  FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
  WHERE l.collversion IS NOT NULL AND l.oid IN (SELECT attcollation FROM pg_attribute WHERE attcollation > 100)
    AND l.collversion IS DISTINCT FROM pg_collation_actual_version(l.oid)
  ORDER BY 1, 2`;

/** What comes with an extension, or with every database, belongs to who makes it there. */
const ownerRolesSql = (scope: Scope): Sql => sql`
  SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_' AND oid IN (
    SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${schemaInScope(scope)} AND NOT ${belongsToExtension(sql`'pg_class'::regclass`, sql`c.oid`)} AND c.relkind NOT IN ('i', 'I')
    UNION SELECT p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE ${schemaInScope(scope)} AND NOT ${belongsToExtension(sql`'pg_proc'::regclass`, sql`p.oid`)}
    UNION SELECT n.nspowner FROM pg_namespace n
    WHERE ${schemaInScope(scope)} AND NOT ${belongsToExtension(sql`'pg_namespace'::regclass`, sql`n.oid`)}
      AND NOT (n.nspname = 'public' AND n.nspowner = 10)
    UNION ${otherOwners(scope)}
    UNION ${grantors(scope)})
  ORDER BY 1`;

/** Who has passed a grant on: it is given in their name on the target, too. */
const grantors = (scope: Scope): Sql => sql`
  SELECT given.grantor
  FROM (
    SELECT relnamespace AS schema, relowner AS owner, relacl AS acl FROM pg_class
    UNION ALL SELECT c.relnamespace, c.relowner, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    UNION ALL SELECT pronamespace, proowner, proacl FROM pg_proc
    UNION ALL SELECT typnamespace, typowner, typacl FROM pg_type
    UNION ALL SELECT oid, nspowner, nspacl FROM pg_namespace) AS object
  JOIN pg_namespace n ON n.oid = object.schema CROSS JOIN LATERAL aclexplode(object.acl) AS given
  WHERE object.acl IS NOT NULL AND given.grantor <> object.owner AND ${schemaInScope(scope)}`;

/** Types, operators, text search, foreign servers, large objects ...: of the latter there may be millions. */
const otherOwners = (scope: Scope): Sql => sql`
  SELECT d.refobjid FROM pg_shdepend d
  WHERE d.deptype = 'o' AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND d.refclassid = 'pg_authid'::regclass
    AND d.classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass,
      'pg_extension'::regclass, 'pg_publication'::regclass, 'pg_subscription'::regclass)
    AND CASE WHEN d.classid = 'pg_largeobject'::regclass THEN ${scope.schemas ?? null}::text[] IS NULL
      ELSE NOT ${belongsToExtension(sql`d.classid`, sql`d.objid`)} AND (
        SELECT CASE WHEN o.schema IS NULL THEN ${scope.schemas ?? null}::text[] IS NULL
          ELSE EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = o.schema AND ${schemaInScope(scope)}) END
        FROM (SELECT (pg_identify_object(d.classid, d.objid, 0)).schema) AS o(schema)) END`;

/** An extension's own are not read; what a table's columns own has the table's owner. */
const strangeSequencesSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS schema, c.relname AS name, owner.rolname AS owner,
    has_sequence_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS "isReadable"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles owner ON owner.oid = c.relowner
  WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ${relationInScope(scope)} AND NOT ${mayActAs(sql`c.relowner`)}
  ORDER BY 1, 2`;
