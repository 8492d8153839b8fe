/** The classes of facts that make a schema, and those around it. Only the shop's own schemas count, and no extension's parts. */

import type { FactClass } from './facts.ts';

const SCHEMAS = `('public', 'billing')`;
const notOfExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;

const FROM_RELATIONS = `FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ${SCHEMAS} AND ${notOfExtension('pg_class', 'c.oid')}`;
const COLUMNS = `FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE n.nspname IN ${SCHEMAS} AND c.relkind IN ('r', 'p', 'm', 'v') AND a.attnum > 0 AND NOT a.attisdropped
    AND ${notOfExtension('pg_class', 'c.oid')}`;
const CONSTRAINTS = `FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ${SCHEMAS}`;

/** One point each. */
export const SCHEMA_CLASSES: readonly FactClass[] = [
  {
    name: 'tables',
    query: `SELECT format('%I.%I %s %s %s %s', n.nspname, c.relname, c.relkind, c.relpersistence,
      pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END) AS item
      ${FROM_RELATIONS} AND c.relkind IN ('r', 'p')`,
  },
  {
    name: 'columns',
    query: `SELECT format('%I.%I.%I %s %s %s%s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attnotnull THEN 'NOT NULL' END, a.attidentity, a.attgenerated) AS item ${COLUMNS}`,
  },
  {
    name: 'types',
    query: `SELECT format('%s enum %s', format_type(t.oid, NULL), string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)) AS item
        FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname IN ${SCHEMAS} GROUP BY t.oid
      UNION ALL SELECT format('%s domain %s %s', format_type(t.oid, NULL), format_type(t.typbasetype, t.typtypmod),
          pg_get_constraintdef(k.oid))
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_constraint k ON k.contypid = t.oid
        WHERE n.nspname IN ${SCHEMAS} AND t.typtype = 'd'
      UNION ALL SELECT format('%s composite %s', format_type(t.oid, NULL),
          string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ',' ORDER BY a.attnum))
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
        JOIN pg_attribute a ON a.attrelid = c.oid WHERE n.nspname IN ${SCHEMAS} GROUP BY t.oid
      UNION ALL SELECT 'extension ' || extname FROM pg_extension`,
  },
  {
    name: 'defaults',
    query: `SELECT format('%I.%I.%I %s', n.nspname, c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)) AS item
      ${COLUMNS} AND d.oid IS NOT NULL
      UNION ALL SELECT format('%I.%I sequence %s %s %s %s %s %s %s', n.nspname, c.relname, format_type(s.seqtypid, NULL),
        s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
      FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ${SCHEMAS}`,
  },
  {
    name: 'keys and checks',
    query: `SELECT format('%I.%I %I %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)) AS item ${CONSTRAINTS}`,
  },
  {
    name: 'views',
    query: `SELECT format('%I.%I %s %s', n.nspname, c.relname, c.relkind, pg_get_viewdef(c.oid)) AS item
      ${FROM_RELATIONS} AND c.relkind IN ('v', 'm')`,
  },
  {
    name: 'functions and triggers',
    query: `SELECT pg_get_functiondef(p.oid) AS item FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ${SCHEMAS} AND p.prokind IN ('f', 'p') AND ${notOfExtension('pg_proc', 'p.oid')}
      UNION ALL SELECT format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled) FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ${SCHEMAS} AND NOT t.tgisinternal`,
  },
  {
    name: 'policies',
    query: `SELECT format('%I.%I %I %s %s %s %s %s', schemaname, tablename, policyname, permissive, cmd, roles, qual, with_check)
        AS item FROM pg_policies WHERE schemaname IN ${SCHEMAS}
      UNION ALL SELECT format('%I.%I row security %s', n.nspname, c.relname, c.relforcerowsecurity)
        ${FROM_RELATIONS} AND c.relrowsecurity`,
  },
];

export const INDEX_CLASSES: readonly FactClass[] = [
  {
    name: 'indexes',
    query: `SELECT pg_get_indexdef(i.indexrelid) AS item FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ${SCHEMAS} AND i.indisvalid AND i.indisready`,
  },
  {
    name: 'validated constraints',
    query: `SELECT format('%I.%I %I', n.nspname, c.relname, k.conname) AS item ${CONSTRAINTS} AND k.convalidated`,
  },
];

/** One point each. */
export const SETTING_CLASSES: readonly FactClass[] = [
  {
    name: 'roles and memberships',
    query: `SELECT format('%I %s %s %s %s %s %s', rolname, rolsuper, rolinherit, rolcanlogin, rolcreatedb, rolcreaterole, rolbypassrls)
        AS item FROM pg_roles WHERE rolname !~ '^pg_'
      UNION ALL SELECT format('%s in %s', pg_get_userbyid(member), pg_get_userbyid(roleid)) FROM pg_auth_members
        WHERE pg_get_userbyid(member) !~ '^pg_'`,
  },
  {
    name: 'owners and grants',
    query: `SELECT format('%I.%I owner %s', n.nspname, c.relname, pg_get_userbyid(c.relowner)) AS item
        ${FROM_RELATIONS} AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      UNION ALL SELECT format('%I.%I %s to %s', n.nspname, c.relname, g.privilege_type, g.grantee::regrole)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) g
        WHERE n.nspname IN ${SCHEMAS} AND g.grantee <> c.relowner
      UNION ALL SELECT format('%I.%I.%I %s to %s', n.nspname, c.relname, a.attname, g.privilege_type, g.grantee::regrole)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
        aclexplode(a.attacl) g WHERE n.nspname IN ${SCHEMAS}
      UNION ALL SELECT format('schema %I %s to %s', n.nspname, g.privilege_type, g.grantee::regrole)
        FROM pg_namespace n, aclexplode(n.nspacl) g WHERE n.nspname IN ${SCHEMAS} AND g.grantee <> n.nspowner`,
  },
  {
    name: 'settings',
    query: `SELECT format('%s %s %s', coalesce(d.datname, '*'), coalesce(pg_get_userbyid(nullif(s.setrole, 0)), '*'), v) AS item
      FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) v`,
  },
];
