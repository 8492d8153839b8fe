/** Tables, views, sequences and what hangs on them. */

import { FENCE_TRIGGER } from '../../postgres/fence.ts';
import { sql } from '../../postgres/sql.ts';
import { definition, grants, isOurs, type ObjectClass, relations, sortedOptions } from './object-class.ts';

const RELATION_KIND = sql`CASE r.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
  WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' END`;

const tables: ObjectClass = {
  name: 'tables',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key, ${definition(sql`
      'kind', ${RELATION_KIND}, 'persistence', r.relpersistence, 'access method', am.amname,
      'options', ${sortedOptions(sql`r.reloptions`)},
      'toast options', (SELECT ${sortedOptions(sql`t.reloptions`)} FROM pg_class t WHERE t.oid = r.reltoastrelid),
      'row security', nullif(r.relrowsecurity, false), 'forced', nullif(r.relforcerowsecurity, false),
      'populated', CASE WHEN r.relkind = 'm' THEN r.relispopulated END,
      'of type', CASE WHEN r.reloftype <> 0 THEN r.reloftype::regtype::text END,
      'partition key', CASE WHEN r.relkind = 'p' THEN pg_get_partkeydef(r.oid) END,
      'partition bound', pg_get_expr(r.relpartbound, r.oid),
      'parents', (SELECT jsonb_agg(i.inhparent::regclass::text ORDER BY i.inhseqno)
        FROM pg_inherits i WHERE i.inhrelid = r.oid),
      'server', (SELECT s.srvname || coalesce(' ' || ${sortedOptions(sql`f.ftoptions`)}::text, '') FROM pg_foreign_table f
        JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = r.oid)`)} AS definition
    FROM r LEFT JOIN pg_am am ON am.oid = r.relam
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f')`,
};

/** From 17 on a partition has the identity of its parent, and can have no other. */
const OWN_IDENTITY = sql`CASE WHEN a.attidentity <> '' AND NOT (r.relispartition AND EXISTS (
  SELECT FROM pg_inherits h JOIN pg_attribute p ON p.attrelid = h.inhparent
  WHERE h.inhrelid = r.oid AND p.attname = a.attname AND p.attidentity = a.attidentity)) THEN a.attidentity END`;

/** By place among the columns that are left: a dropped column is not dumped. */
const columns: ObjectClass = {
  name: 'columns',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key || '.' || quote_ident(a.attname), ${definition(sql`
      'place', row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum),
      'type', format_type(a.atttypid, a.atttypmod),
      'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
      'not null', nullif(a.attnotnull, false),
      'also inherited', CASE WHEN a.attislocal AND a.attinhcount > 0 THEN true END,
      'identity', ${OWN_IDENTITY}, 'generated', nullif(a.attgenerated, ''),
      'default', pg_get_expr(d.adbin, d.adrelid),
      'storage', nullif(a.attstorage, t.typstorage),
      'compression', nullif(to_jsonb(a)->>'attcompression', ''),
      'statistics', nullif(coalesce(a.attstattarget, -1), -1),
      'options', ${sortedOptions(sql`a.attoptions`)}, 'foreign options', ${sortedOptions(sql`a.attfdwoptions`)}`)}
    FROM r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')`,
};

/** NOT NULL is the column's (18 has it here too, and here is told what only 18 can say of it); a foreign key's copies for partitions are the server's own affair. */
const constraints: ObjectClass = {
  name: 'constraints',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key || '.' || quote_ident(k.conname),
      ${definition(sql`'definition', pg_get_constraintdef(k.oid), 'valid', k.convalidated`)}
    FROM r JOIN pg_constraint k ON k.conrelid = r.oid
    WHERE (k.contype IN ('c', 'p', 'u', 'x', 'f') OR (k.contype = 'n' AND (k.connoinherit OR NOT k.convalidated)))
      AND NOT (k.contype = 'f' AND k.conparentid <> 0)`,
};

/** An invalid index is not dumped: the target lacks it, and the comparison says so. */
const indexes: ObjectClass = {
  name: 'indexes',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key || '.' || quote_ident(c.relname), ${definition(sql`
      'definition', pg_get_indexdef(c.oid), 'valid', i.indisvalid AND i.indisready,
      'clustered', nullif(i.indisclustered, false),
      'parent', (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid),
      'statistics', (SELECT jsonb_object_agg(a.attnum, a.attstattarget) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND coalesce(a.attstattarget, -1) <> -1)`)}
    FROM r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
    WHERE r.relkind IN ('r', 'p', 'm') AND NOT ${isOurs(sql`c.relname`)}`,
};

const replicaIdentities: ObjectClass = {
  name: 'replica identities',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key, CASE r.relreplident WHEN 'd' THEN 'DEFAULT' WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
      ELSE 'USING INDEX ' || coalesce((SELECT quote_ident(c.relname) FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = r.oid AND i.indisreplident), '(dropped)') END
    FROM r WHERE r.relkind IN ('r', 'p', 'm')`,
};

const sequences: ObjectClass = {
  name: 'sequences',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key, ${definition(sql`
      'type', s.seqtypid::regtype::text, 'start', s.seqstart, 'increment', s.seqincrement, 'min', s.seqmin,
      'max', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle, 'persistence', r.relpersistence,
      'owned by', (SELECT d.deptype::text || ' ' || d.refobjid::regclass::text || '.' || quote_ident(a.attname)
        FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype IN ('a', 'i')
          AND d.refclassid = 'pg_class'::regclass)`)}
    FROM r JOIN pg_sequence s ON s.seqrelid = r.oid`,
};

const views: ObjectClass = {
  name: 'views',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key, pg_get_viewdef(r.oid) FROM r WHERE r.relkind IN ('v', 'm')`,
};

/** What the definition of a view says where its text may not be compared: which columns and functions it uses. */
const viewDependencies: ObjectClass = {
  name: 'view dependencies',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key, string_agg(DISTINCT used.identity, ', ' ORDER BY used.identity)
    FROM r JOIN pg_rewrite w ON w.ev_class = r.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.deptype = 'n'
    CROSS JOIN LATERAL (
      SELECT pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) COLLATE "C" AS identity) AS used
    WHERE r.relkind IN ('v', 'm') AND NOT (d.refclassid = 'pg_class'::regclass AND d.refobjsubid = 0)
    GROUP BY r.key`,
};

const rules: ObjectClass = {
  name: 'rules',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key || '.' || quote_ident(w.rulename), w.ev_enabled::text || ' ' || pg_get_ruledef(w.oid)
    FROM r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'`,
};

/** Before 15 the copies on partitions are internal, as those of foreign keys are on every version. */
const MADE_BY_HAND = sql`(NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgfoid::regproc::text NOT LIKE '"RI\\_FKey\\_%'))`;

/** Copies on partitions count where they are enabled otherwise than the root's trigger. */
const triggers: ObjectClass = {
  name: 'triggers',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key || '.' || quote_ident(t.tgname), t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid)
    FROM r JOIN pg_trigger t ON t.tgrelid = r.oid
    LEFT JOIN pg_trigger root ON root.oid = t.tgparentid
    WHERE ${MADE_BY_HAND} AND t.tgname <> ${FENCE_TRIGGER}
      AND (root.oid IS NULL OR root.tgenabled <> t.tgenabled)`,
};

/** pg_dump orders a policy's roles by OID, which differs from server to server. */
const policies: ObjectClass = {
  name: 'policies',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key || '.' || quote_ident(p.polname), ${definition(sql`
      'command', p.polcmd, 'permissive', p.polpermissive, 'using', pg_get_expr(p.polqual, p.polrelid),
      'check', pg_get_expr(p.polwithcheck, p.polrelid),
      'roles', (SELECT jsonb_agg(name ORDER BY name COLLATE "C") FROM unnest(p.polroles) AS role
        CROSS JOIN LATERAL (SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(role)::text END AS name) AS n)`)}
    FROM r JOIN pg_policy p ON p.polrelid = r.oid`,
};

const statistics: ObjectClass = {
  name: 'extended statistics',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key || '.' || quote_ident(s.stxname), ${definition(sql`
      'definition', pg_get_statisticsobjdef(s.oid), 'target', nullif(s.stxstattarget, -1),
      'owner', pg_get_userbyid(s.stxowner)`)}
    FROM r JOIN pg_statistic_ext s ON s.stxrelid = r.oid`,
};

const tableGrants: ObjectClass = {
  name: 'grants on tables and sequences',
  objects: (scope) => sql`
    WITH r AS (${relations(scope)})
    SELECT r.key, ${definition(sql`
      'owner', pg_get_userbyid(r.relowner),
      'grants', ${grants(sql`r.relacl`, sql`CASE WHEN r.relkind = 'S' THEN 's'::"char" ELSE 'r' END`, sql`r.relowner`)},
      'columns', (SELECT jsonb_object_agg(a.attname, ${grants(sql`a.attacl`, sql`'c'::"char"`, sql`r.relowner`)})
        FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped)`)}
    FROM r WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')`,
};

export const RELATION_CLASSES: readonly ObjectClass[] = [
  tables,
  columns,
  constraints,
  indexes,
  replicaIdentities,
  sequences,
  views,
  viewDependencies,
  rules,
  triggers,
  policies,
  statistics,
  tableGrants,
];
