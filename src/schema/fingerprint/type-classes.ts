/** Types of one's own. */

import { sql } from '../../postgres/sql.ts';
import { definition, grants, identity, inScope, type ObjectClass, qualified } from './object-class.ts';

/** 14 and later make it with the range type, by this name where none is said. */
const MULTIRANGE_BY_DEFAULT = sql`(CASE WHEN o.typname LIKE '%range%' THEN regexp_replace(o.typname, 'range', 'multirange')
  ELSE o.typname || '_multirange' END)::name`;

const RANGE = sql`(
  SELECT jsonb_build_array(g.rngsubtype::regtype::text, nullif(g.rngcollation, 0)::regcollation::text,
    nullif(g.rngcanonical, 0)::regproc::text, nullif(g.rngsubdiff, 0)::regproc::text,
    ${identity(sql`'pg_opclass'::regclass`, sql`g.rngsubopc`)},
    nullif((to_jsonb(g)->>'rngmultitypid')::oid::regtype::text, ${qualified(MULTIRANGE_BY_DEFAULT)}))
  FROM pg_range g WHERE g.rngtypid = o.oid)`;

/** Since 14 a type of elements has the standard subscripts where it says nothing. */
const BASE = sql`jsonb_build_array(o.typinput::text, o.typoutput::text, o.typreceive::text, o.typsend::text,
  o.typmodin::text, o.typmodout::text, o.typanalyze::text,
  CASE WHEN o.typelem = 0 THEN nullif(to_jsonb(o)->>'typsubscript', '-') END,
  o.typlen, o.typbyval, o.typalign, o.typstorage, o.typdelim, nullif(o.typelem, 0)::regtype::text,
  nullif(o.typcollation, 0)::regcollation::text, o.typcategory, o.typispreferred)`;

/** Row types of tables and array types come with what they belong to; of pseudo-types ('p') only shells are a user's. */
export const types: ObjectClass = {
  name: 'types',
  objects: (scope) => sql`
    SELECT ${qualified(sql`o.typname`)}, ${definition(sql`
      'kind', o.typtype, 'owner', pg_get_userbyid(o.typowner),
      'grants', ${grants(sql`o.typacl`, sql`'T'::"char"`, sql`o.typowner`)},
      'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = o.oid),
      'base', CASE WHEN o.typtype = 'd' THEN format_type(o.typbasetype, o.typtypmod) END,
      'not null', nullif(o.typnotnull, false),
      'default', coalesce(pg_get_expr(o.typdefaultbin, 0), o.typdefault),
      'collation', CASE WHEN o.typtype = 'd' AND o.typcollation <> 0 THEN o.typcollation::regcollation::text END,
      'checks', (SELECT jsonb_object_agg(k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k
        WHERE k.contypid = o.oid AND k.contype = 'c'),
      'range', ${RANGE}, 'functions and form', CASE WHEN o.typtype = 'b' THEN ${BASE} END`)}
    ${inScope(sql`pg_type`, sql`typnamespace`, scope)}
      AND o.typtype IN ('b', 'c', 'd', 'e', 'p', 'r')
      AND NOT EXISTS (SELECT FROM pg_type array_of WHERE array_of.typarray = o.oid)
      AND (o.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c'))`,
};
