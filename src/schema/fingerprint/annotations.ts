/** What is said about objects of any kind: comments, security labels, the extensions that they depend on. */

import { OWN_SCHEMA } from '../../domain/names.ts';
import type { Scope } from '../../domain/scope.ts';
import { belongsToExtension, schemaInScope } from '../../postgres/scope.ts';
import { type Sql, sql } from '../../postgres/sql.ts';
import type { ObjectClass } from './object-class.ts';

/**
 * The object of `classid`, `objid` and `objsubid`, named by i, is a user's and in the scope. Publications and subscriptions are their
 * owners' to set up anew; large objects are carried and compared with what is said about them.
 */
const isOfScope = (scope: Scope, [classid, objid]: readonly [Sql, Sql]): Sql => sql`(
  ${objid} >= 16384
  AND ${classid} NOT IN ('pg_extension'::regclass, 'pg_publication'::regclass, 'pg_subscription'::regclass, 'pg_largeobject'::regclass)
  AND NOT ${belongsToExtension(classid, objid)}
  AND NOT (${classid} = 'pg_class'::regclass
    AND EXISTS (SELECT FROM pg_class c WHERE c.oid = ${objid} AND starts_with(c.relname, ${`${OWN_SCHEMA}_`})))
  AND CASE WHEN i.schema IS NULL THEN i.type <> 'schema' AND ${scope.schemas === undefined}::boolean
      AND i.identity !~ ${`(^|[ .])"?${OWN_SCHEMA}"?[.]`}
    ELSE EXISTS (SELECT FROM pg_namespace n
      WHERE quote_ident(n.nspname) = i.schema AND ${schemaInScope(scope)}) END)`;

/** Before 16 a transform is one "on language". */
const KEY = sql`i.type || ' ' || CASE i.type WHEN 'transform' THEN replace(i.identity, ' on language ', ' language ') ELSE i.identity END`;

/** `whose` tells apart what is said of one object, and may be empty. Of schemas also of public, which comes with initdb. */
const saidOf = (
  name: string,
  { catalog, whose, text }: { catalog: Sql; whose: Sql; text: Sql },
): ObjectClass => ({
  name,
  objects: (scope) => sql`
    SELECT ${KEY} || ${whose}, ${text}
    FROM ${catalog} AS s CROSS JOIN LATERAL pg_identify_object(s.classoid, s.objoid, s.objsubid) AS i
    WHERE ${isOfScope(scope, [sql`s.classoid`, sql`s.objoid`])}
    UNION ALL
    SELECT 'schema ' || quote_ident(n.nspname) || ${whose}, ${text}
    FROM pg_namespace n JOIN ${catalog} AS s ON s.classoid = 'pg_namespace'::regclass AND s.objoid = n.oid
    WHERE ${schemaInScope(scope)}`,
});

const comments = saidOf('comments', {
  catalog: sql`pg_description`,
  whose: sql`''`,
  text: sql`s.description`,
});

const securityLabels = saidOf('security labels', {
  catalog: sql`pg_seclabel`,
  whose: sql`' for ' || quote_ident(s.provider)`,
  text: sql`s.label`,
});

/** ALTER ... DEPENDS ON EXTENSION: what is dropped with it. */
const extensionDependencies: ObjectClass = {
  name: 'dependencies on extensions',
  objects: (scope) => sql`
    SELECT ${KEY}, string_agg(quote_ident(e.extname), ', ' ORDER BY e.extname COLLATE "C")
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
    CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
    WHERE d.deptype = 'x' AND ${isOfScope(scope, [sql`d.classid`, sql`d.objid`])}
    GROUP BY 1`,
};

export const ANNOTATIONS: readonly ObjectClass[] = [comments, securityLabels, extensionDependencies];
