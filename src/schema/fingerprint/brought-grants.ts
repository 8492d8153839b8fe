/** What was granted and revoked on objects that no user made: the server's own, and those that extensions brought. */

import { belongsToExtension } from '../../postgres/scope.ts';
import { list, type Sql, sql } from '../../postgres/sql.ts';
import type { ObjectClass } from './object-class.ts';

const grantable = (catalog: Sql, acl: Sql, owner: Sql, kind: Sql): Sql => sql`
  SELECT tableoid AS class, oid, 0 AS part, ${owner} AS owner, ${acl} AS acl, acldefault(${kind}, ${owner}) AS standard
  FROM ${catalog}`;

const GRANTABLE: readonly Sql[] = [
  grantable(
    sql`pg_class`,
    sql`relacl`,
    sql`relowner`,
    sql`CASE WHEN relkind = 'S' THEN 's'::"char" ELSE 'r' END`,
  ),
  sql`
  SELECT c.tableoid, c.oid, a.attnum::int, c.relowner, a.attacl, NULL
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attacl IS NOT NULL`,
  grantable(sql`pg_proc`, sql`proacl`, sql`proowner`, sql`'f'::"char"`),
  grantable(sql`pg_namespace`, sql`nspacl`, sql`nspowner`, sql`'n'::"char"`),
  grantable(sql`pg_type`, sql`typacl`, sql`typowner`, sql`'T'::"char"`),
  grantable(sql`pg_language WHERE lanispl`, sql`lanacl`, sql`lanowner`, sql`'l'::"char"`),
  grantable(sql`pg_foreign_data_wrapper`, sql`fdwacl`, sql`fdwowner`, sql`'F'::"char"`),
];

/** Neither an owner's own rights nor our role's, which has what it needs, and may have another name on the other side. */
const rights = (acl: Sql): Sql => sql`
  SELECT grantee, privilege_type AS privilege, is_grantable AS option FROM aclexplode(coalesce(${acl}, o.standard))
  WHERE privilege_type <> 'MAINTAIN' AND grantee <> o.owner
    AND grantee <> (SELECT oid FROM pg_roles WHERE rolname = current_user)`;

const as = (sign: Sql): Sql => sql`
  ${sign} || CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END || '=' || privilege
    || CASE WHEN option THEN '*' ELSE '' END`;

/**
 * Only what is other than it came (pg_init_privs): versions grant different things from the start. pg_dump carries the same:
 * of the server's own schemas only what is in pg_catalog. Schema public is one of the user's.
 * @see https://www.postgresql.org/docs/current/catalog-pg-init-privs.html
 */
export const broughtGrants: ObjectClass = {
  name: 'grants on objects of the server and of extensions',
  isGlobal: true,
  objects: () => sql`
    SELECT i.type || ' ' || i.identity, r.changes
    FROM (${list(GRANTABLE, ' UNION ALL ')}) AS o
    LEFT JOIN pg_init_privs p ON p.classoid = o.class AND p.objoid = o.oid AND p.objsubid = o.part
    CROSS JOIN LATERAL (
      SELECT string_agg(change, ', ' ORDER BY change COLLATE "C") AS changes FROM (
        SELECT ${as(sql`'+'`)} FROM (${rights(sql`o.acl`)} EXCEPT ${rights(sql`p.initprivs`)}) AS granted
        UNION ALL
        SELECT ${as(sql`'-'`)} FROM (${rights(sql`p.initprivs`)} EXCEPT ${rights(sql`o.acl`)}) AS revoked) AS c(change)) AS r
    CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, o.part) AS i
    WHERE (o.acl IS NOT NULL OR p.initprivs IS NOT NULL) AND o.acl IS DISTINCT FROM p.initprivs
      AND (o.oid < 16384 OR ${belongsToExtension(sql`o.class`, sql`o.oid`)})
      AND (o.oid >= 16384 OR i.identity !~ '^"(public|information_schema)"')
      AND r.changes IS NOT NULL`,
};
