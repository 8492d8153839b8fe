/** What a schema may hold that copies or applies other than it was written. Catalogs only. */

import type { TableName } from '../../domain/names.ts';
import type {
  CheckThatReads,
  CoarseColumns,
  DomainConstraint,
  Pitfalls,
  ReorderedChild,
} from '../../domain/preflight/facts.ts';
import type { Scope } from '../../domain/scope.ts';
import type { Connection } from '../connection.ts';
import { relationInScope, schemaInScope } from '../scope.ts';
import { type Sql, sql } from '../sql.ts';

type Of<Fact> = Omit<Fact, 'table'> & TableName;
const onTable = <Row extends TableName>({ schema, name, ...fact }: Row) => ({
  ...fact,
  table: { schema, name },
});

export async function readPitfalls(connection: Connection, scope: Scope): Promise<Pitfalls> {
  const ask = <Row extends object>(statement: Sql): Promise<Row[]> => connection.query<Row>(statement);
  return {
    checksThatRead: (await ask<Of<CheckThatReads>>(checksThatReadSql(scope))).map(onTable),
    unvalidatedDomains: await ask<DomainConstraint>(unvalidatedDomainsSql(scope)),
    coarseColumns: (await ask<Of<CoarseColumns>>(coarseColumnsSql(scope))).map(onTable),
    reorderedChildren: (await ask<Of<ReorderedChild>>(reorderedChildrenSql(scope))).map(onTable),
    ...(await connection.one<Pick<Pitfalls, 'hasXml' | 'hasArrays' | 'hasNonAsciiNames'>>(
      parsedBySettingsSql(scope),
    )),
  };
}

/** A body of BEGIN ATOMIC has its dependencies on record; any other is read by words. */
const checksThatReadSql = (scope: Scope): Sql => sql`
  WITH checked AS MATERIALIZED (
    SELECT n.nspname AS schema, c.relname AS name, k.oid, k.conname, p.oid AS function, p.proname, p.prosrc
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.refclassid = 'pg_proc'::regclass
    JOIN pg_proc p ON p.oid = d.refobjid JOIN pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal')
    WHERE k.contype = 'c' AND k.convalidated AND k.conislocal AND ${relationInScope(scope)}),
  read(function, relation) AS (
    SELECT DISTINCT f.function, r.oid
    FROM (SELECT DISTINCT function, prosrc FROM checked WHERE prosrc ~* '\\m(from|join)\\M') AS f
    CROSS JOIN regexp_split_to_table(f.prosrc, '[^[:alnum:]_$]+') AS word
    JOIN pg_class r ON r.relname = word
    UNION
    SELECT d.objid, d.refobjid FROM pg_depend d
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass AND d.objid IN (SELECT function FROM checked))
  SELECT checked.schema, checked.name, checked.conname AS constraint, pg_get_constraintdef(checked.oid) AS definition,
    min(checked.proname) AS function, min(r.relname) AS reads
  FROM checked JOIN read ON read.function = checked.function
  JOIN pg_class r ON r.oid = read.relation AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
  JOIN pg_namespace rn ON rn.oid = r.relnamespace AND rn.nspname !~ '^pg_' AND rn.nspname <> 'information_schema'
  GROUP BY checked.schema, checked.name, checked.oid, checked.conname
  ORDER BY 1, 2, 3`;

const unvalidatedDomainsSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS schema, t.typname AS name, k.conname AS constraint
  FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE NOT k.convalidated AND ${schemaInScope(scope)}
  ORDER BY 1, 2, 3`;

/** Types whose "=" holds for values that look different, and what is made of such types. A numeric of a fixed scale is not one. */
const coarseColumnsSql = (scope: Scope): Sql => sql`
  WITH RECURSIVE parts(attrelid, attnum, attname, part, typmod) AS (
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relreplident = 'f'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND ${relationInScope(scope)}
    UNION
    SELECT p.attrelid, p.attnum, p.attname, inner_type.oid, inner_type.typmod
    FROM parts p JOIN pg_type t ON t.oid = p.part
    CROSS JOIN LATERAL (
      SELECT t.typbasetype, t.typtypmod WHERE t.typtype = 'd'
      UNION ALL SELECT t.typelem, p.typmod WHERE t.typelem <> 0 AND t.typlen = -1 AND t.typtype = 'b'
      UNION ALL SELECT f.atttypid, f.atttypmod FROM pg_attribute f
        WHERE t.typtype = 'c' AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
      UNION ALL SELECT r.rngsubtype, -1 FROM pg_range r WHERE r.rngtypid = t.oid
    ) AS inner_type(oid, typmod)),
  coarse AS (
    SELECT attrelid, attnum, attname FROM parts JOIN pg_type t ON t.oid = parts.part
    WHERE t.typname = 'citext' OR t.oid IN ('float4'::regtype, 'float8'::regtype, 'jsonb'::regtype, 'interval'::regtype)
      OR (t.oid IN ('numeric'::regtype, 'bpchar'::regtype) AND parts.typmod = -1)
    UNION
    SELECT a.attrelid, a.attnum, a.attname FROM pg_attribute a
    JOIN pg_collation l ON l.oid = a.attcollation AND NOT l.collisdeterministic
    WHERE a.attrelid IN (SELECT attrelid FROM parts) AND a.attnum > 0 AND NOT a.attisdropped)
  SELECT n.nspname AS schema, c.relname AS name, array_agg(coarse.attname::text ORDER BY coarse.attnum) AS columns
  FROM coarse JOIN pg_class c ON c.oid = coarse.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  GROUP BY 1, 2 ORDER BY 1, 2`;

/** CREATE TABLE ... INHERITS, as pg_dump writes it, puts the parents' columns first; ALTER TABLE ... INHERIT had left them where they were. */
const reorderedChildrenSql = (scope: Scope): Sql => sql`
  SELECT schema, name, "onSource", "onTarget" FROM (
    SELECT n.nspname AS schema, c.relname AS name,
      array_agg(a.attname::text ORDER BY a.attnum) AS "onSource",
      array_agg(a.attname::text ORDER BY inherited.place NULLS LAST, a.attnum) AS "onTarget"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL (
      SELECT min(ARRAY[i.inhseqno, b.attnum]) AS place
      FROM pg_inherits i JOIN pg_attribute b ON b.attrelid = i.inhparent AND b.attname = a.attname AND b.attnum > 0
      WHERE i.inhrelid = c.oid) AS inherited
    WHERE c.relkind = 'r' AND NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
      AND ${relationInScope(scope)}
    GROUP BY 1, 2) AS children
  WHERE "onSource" <> "onTarget"
  ORDER BY 1, 2`;

/** What is read by xmloption, array_nulls and client_encoding; a domain or composite of such types is not looked into. */
const parsedBySettingsSql = (scope: Scope): Sql => sql`
  SELECT coalesce(bool_or(a.atttypid = 'xml'::regtype), false) AS "hasXml",
    coalesce(bool_or(t.typelem <> 0 AND t.typlen = -1), false) AS "hasArrays",
    coalesce(bool_or(n.nspname || c.relname || a.attname ~ '[^[:ascii:]]'), false) AS "hasNonAsciiNames"
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE a.attnum > 0 AND NOT a.attisdropped AND ${relationInScope(scope)}`;
