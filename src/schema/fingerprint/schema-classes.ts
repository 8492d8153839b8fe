/** Routines, operators and what else lives in a schema or in the whole database. */

import { OWN_SCHEMA } from '../../domain/names.ts';
import { belongsToExtension, schemaInScope } from '../../postgres/scope.ts';
import { sql } from '../../postgres/sql.ts';
import {
  definition,
  grants,
  identity,
  inScope,
  notInternal,
  notOfExtension,
  type ObjectClass,
  qualified,
  sortedOptions,
} from './object-class.ts';

const schemas: ObjectClass = {
  name: 'schemas',
  objects: (scope) => sql`
    SELECT quote_ident(n.nspname), ${definition(sql`
      'owner', pg_get_userbyid(n.nspowner),
      'grants', ${grants(sql`n.nspacl`, sql`'n'::"char"`, sql`n.nspowner`)}`)}
    FROM pg_namespace n WHERE ${schemaInScope(scope)}
      AND NOT ${belongsToExtension(sql`'pg_namespace'::regclass`, sql`n.oid`)}`,
};

const ROUTINE_KEY = sql`${qualified(sql`o.proname`)} || '(' || pg_get_function_identity_arguments(o.oid) || ')'`;

/** The body of an SQL-standard function (BEGIN ATOMIC) is deparsed as views are. */
const routines: ObjectClass = {
  name: 'functions',
  objects: (scope) => sql`
    SELECT ${ROUTINE_KEY}, pg_get_functiondef(o.oid)
    ${inScope(sql`pg_proc`, sql`pronamespace`, scope)} AND o.prokind <> 'a' AND ${notInternal}`,
};

const aggregates: ObjectClass = {
  name: 'aggregates',
  objects: (scope) => sql`
    SELECT ${ROUTINE_KEY}, (
      SELECT (to_jsonb(a) - 'aggfnoid' - 'aggtranstype' - 'aggmtranstype'
        || jsonb_build_object('result', o.prorettype::regtype::text, 'state', a.aggtranstype::regtype::text,
          'parallel', o.proparallel, 'aggsortop', nullif(a.aggsortop, 0)::regoperator::text))::text
      FROM pg_aggregate a WHERE a.aggfnoid = o.oid)
    ${inScope(sql`pg_proc`, sql`pronamespace`, scope)} AND o.prokind = 'a'`,
};

const routineGrants: ObjectClass = {
  name: 'grants on functions',
  objects: (scope) => sql`
    SELECT ${ROUTINE_KEY}, ${definition(sql`'owner', pg_get_userbyid(o.proowner),
      'grants', ${grants(sql`o.proacl`, sql`'f'::"char"`, sql`o.proowner`)}`)}
    ${inScope(sql`pg_proc`, sql`pronamespace`, scope)} AND ${notInternal}`,
};

/** Without those that are but a name (oprcode = 0), left by an operator that was dropped: they are not dumped. */
const operators: ObjectClass = {
  name: 'operators',
  objects: (scope) => sql`
    SELECT o.oid::regoperator::text, ${definition(sql`
      'function', o.oprcode::text, 'result', o.oprresult::regtype::text, 'hashes', o.oprcanhash,
      'merges', o.oprcanmerge, 'restrict', nullif(o.oprrest, 0)::regproc::text,
      'join', nullif(o.oprjoin, 0)::regproc::text, 'commutator', nullif(o.oprcom, 0)::regoperator::text,
      'negator', nullif(o.oprnegate, 0)::regoperator::text, 'owner', pg_get_userbyid(o.oprowner)`)}
    ${inScope(sql`pg_operator`, sql`oprnamespace`, scope)} AND o.oprcode <> 0`,
};

/** With the members of its classes, and those that ALTER OPERATOR FAMILY has added. */
const operatorFamilies: ObjectClass = {
  name: 'operator families',
  objects: (scope) => sql`
    SELECT ${qualified(sql`o.opfname`)} || ' ' || am.amname, ${definition(sql`
      'owner', pg_get_userbyid(o.opfowner),
      'operators', (SELECT jsonb_agg(member ORDER BY member COLLATE "C") FROM (
        SELECT p.amopstrategy || ' ' || p.amopopr::regoperator::text
          || coalesce(' ordered by ' || ${identity(sql`'pg_opfamily'::regclass`, sql`p.amopsortfamily`)}, '') AS member
        FROM pg_amop p WHERE p.amopfamily = o.oid) AS operators),
      'functions', (SELECT jsonb_agg(member ORDER BY member COLLATE "C") FROM (
        SELECT p.amprocnum || ' ' || p.amproc::regprocedure::text || ' for ' || p.amproclefttype::regtype::text
          || ', ' || p.amprocrighttype::regtype::text AS member
        FROM pg_amproc p WHERE p.amprocfamily = o.oid) AS functions)`)}
    FROM pg_opfamily o JOIN pg_namespace n ON n.oid = o.opfnamespace JOIN pg_am am ON am.oid = o.opfmethod
    WHERE ${schemaInScope(scope)} AND ${notOfExtension}`,
};

const operatorClasses: ObjectClass = {
  name: 'operator classes',
  objects: (scope) => sql`
    SELECT ${qualified(sql`o.opcname`)} || ' ' || am.amname, ${definition(sql`
      'type', o.opcintype::regtype::text, 'default', o.opcdefault, 'owner', pg_get_userbyid(o.opcowner),
      'stored as', nullif(o.opckeytype, 0)::regtype::text,
      'family', ${identity(sql`'pg_opfamily'::regclass`, sql`o.opcfamily`)}`)}
    FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace JOIN pg_am am ON am.oid = o.opcmethod
    WHERE ${schemaInScope(scope)} AND ${notOfExtension}`,
};

const conversions: ObjectClass = {
  name: 'conversions',
  objects: (scope) => sql`
    SELECT ${qualified(sql`o.conname`)}, ${definition(sql`
      'from', pg_encoding_to_char(o.conforencoding), 'to', pg_encoding_to_char(o.contoencoding),
      'function', o.conproc::text, 'default', o.condefault, 'owner', pg_get_userbyid(o.conowner)`)}
    ${inScope(sql`pg_conversion`, sql`connamespace`, scope)}`,
};

/** The locale's column has had three names from 15 to 17, and from 16 on `de_DE` is written down as `de-DE`. */
const collations: ObjectClass = {
  name: 'collations',
  objects: (scope) => sql`
    SELECT ${qualified(sql`o.collname`)}, ${definition(sql`
      'provider', o.collprovider, 'deterministic', o.collisdeterministic, 'owner', pg_get_userbyid(o.collowner),
      'locale', CASE o.collprovider WHEN 'i' THEN lower(translate(l.locale, '_', '-')) ELSE l.locale END,
      'ctype', CASE o.collprovider WHEN 'c' THEN o.collctype END,
      'rules', to_jsonb(o)->>'collicurules'`)}
    FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace
    CROSS JOIN LATERAL (SELECT coalesce(to_jsonb(o)->>'colllocale', to_jsonb(o)->>'colliculocale', o.collcollate) AS locale) AS l
    WHERE ${schemaInScope(scope)} AND ${notOfExtension}`,
};

const textSearch: ObjectClass = {
  name: 'text search objects',
  objects: (scope) => sql`
    SELECT 'configuration ' || ${qualified(sql`o.cfgname`)}, ${definition(sql`
      'parser', ${identity(sql`'pg_ts_parser'::regclass`, sql`o.cfgparser`)}, 'owner', pg_get_userbyid(o.cfgowner),
      'mappings', (SELECT jsonb_agg(m.maptokentype || ' ' || m.mapdict::regdictionary::text ORDER BY m.maptokentype, m.mapseqno)
        FROM pg_ts_config_map m WHERE m.mapcfg = o.oid)`)}
    ${inScope(sql`pg_ts_config`, sql`cfgnamespace`, scope)}
    UNION ALL
    SELECT 'dictionary ' || ${qualified(sql`o.dictname`)}, ${definition(sql`
      'owner', pg_get_userbyid(o.dictowner),
      'template', ${identity(sql`'pg_ts_template'::regclass`, sql`o.dicttemplate`)}, 'options', o.dictinitoption`)}
    ${inScope(sql`pg_ts_dict`, sql`dictnamespace`, scope)}
    UNION ALL
    SELECT 'template ' || ${qualified(sql`o.tmplname`)}, ${definition(sql`
      'init', o.tmplinit::text, 'lexize', o.tmpllexize::text`)}
    ${inScope(sql`pg_ts_template`, sql`tmplnamespace`, scope)}
    UNION ALL
    SELECT 'parser ' || ${qualified(sql`o.prsname`)}, ${definition(sql`
      'start', o.prsstart::text, 'token', o.prstoken::text, 'end', o.prsend::text,
      'headline', o.prsheadline::text, 'types', o.prslextype::text`)}
    ${inScope(sql`pg_ts_parser`, sql`prsnamespace`, scope)}`,
};

const defaultPrivileges: ObjectClass = {
  name: 'default privileges',
  objects: (scope) => sql`
    SELECT pg_get_userbyid(o.defaclrole) || ' in ' || coalesce(quote_ident(n.nspname), 'every schema') || ' for ' || o.defaclobjtype::text,
      coalesce(${grants(sql`o.defaclacl`, sql`o.defaclobjtype`, sql`o.defaclrole`)}, 'none')
    FROM pg_default_acl o LEFT JOIN pg_namespace n ON n.oid = o.defaclnamespace
    WHERE CASE WHEN n.oid IS NULL THEN ${scope.schemas === undefined}::boolean ELSE ${schemaInScope(scope)} END`,
};

const extensions: ObjectClass = {
  name: 'extensions',
  isGlobal: true,
  objects: () => sql`
    SELECT quote_ident(o.extname), 'in ' || quote_ident(n.nspname)
    FROM pg_extension o JOIN pg_namespace n ON n.oid = o.extnamespace`,
};

const eventTriggers: ObjectClass = {
  name: 'event triggers',
  isGlobal: true,
  objects: () => sql`
    SELECT quote_ident(o.evtname), ${definition(sql`
      'event', o.evtevent, 'function', o.evtfoid::regprocedure::text, 'enabled', o.evtenabled,
      'tags', to_jsonb(o.evttags), 'owner', pg_get_userbyid(o.evtowner)`)}
    FROM pg_event_trigger o WHERE ${notOfExtension} AND NOT starts_with(o.evtname, ${`${OWN_SCHEMA}_`})`,
};

const casts: ObjectClass = {
  name: 'casts',
  isGlobal: true,
  objects: () => sql`
    SELECT format_type(o.castsource, NULL) || ' AS ' || format_type(o.casttarget, NULL), ${definition(sql`
      'function', nullif(o.castfunc, 0)::regprocedure::text, 'context', o.castcontext, 'method', o.castmethod`)}
    FROM pg_cast o WHERE o.oid >= 16384 AND ${notOfExtension} AND ${notInternal}`,
};

const transforms: ObjectClass = {
  name: 'transforms',
  isGlobal: true,
  objects: () => sql`
    SELECT format_type(o.trftype, NULL) || ' in ' || quote_ident(l.lanname), ${definition(sql`
      'from SQL', o.trffromsql::regprocedure::text, 'to SQL', o.trftosql::regprocedure::text`)}
    FROM pg_transform o JOIN pg_language l ON l.oid = o.trflang WHERE ${notOfExtension}`,
};

/** Options of user mappings hold passwords: only that there is one is looked at. */
const foreignServers: ObjectClass = {
  name: 'foreign servers',
  isGlobal: true,
  objects: () => sql`
    SELECT 'wrapper ' || quote_ident(o.fdwname), ${definition(sql`
      'owner', pg_get_userbyid(o.fdwowner), 'handler', nullif(o.fdwhandler, 0)::regproc::text,
      'validator', nullif(o.fdwvalidator, 0)::regproc::text, 'options', ${sortedOptions(sql`o.fdwoptions`)},
      'grants', ${grants(sql`o.fdwacl`, sql`'F'::"char"`, sql`o.fdwowner`)}`)}
    FROM pg_foreign_data_wrapper o WHERE ${notOfExtension}
    UNION ALL
    SELECT 'server ' || quote_ident(o.srvname), ${definition(sql`
      'owner', pg_get_userbyid(o.srvowner), 'wrapper', w.fdwname, 'type', o.srvtype, 'version', o.srvversion,
      'options', ${sortedOptions(sql`o.srvoptions`)},
      'grants', ${grants(sql`o.srvacl`, sql`'S'::"char"`, sql`o.srvowner`)}`)}
    FROM pg_foreign_server o JOIN pg_foreign_data_wrapper w ON w.oid = o.srvfdw WHERE ${notOfExtension}
    UNION ALL
    SELECT 'user mapping ' || quote_ident(m.srvname) || ' ' || quote_ident(m.usename), 'present'
    FROM pg_user_mappings m`,
};

const accessMethods: ObjectClass = {
  name: 'access methods',
  isGlobal: true,
  objects: () => sql`
    SELECT quote_ident(o.amname), ${definition(sql`'type', o.amtype, 'handler', o.amhandler::text`)}
    FROM pg_am o WHERE o.oid >= 16384 AND ${notOfExtension}`,
};

const languages: ObjectClass = {
  name: 'languages',
  isGlobal: true,
  objects: () => sql`
    SELECT quote_ident(o.lanname), ${definition(sql`
      'owner', pg_get_userbyid(o.lanowner), 'trusted', o.lanpltrusted, 'handler', nullif(o.lanplcallfoid, 0)::regproc::text,
      'inline', nullif(o.laninline, 0)::regproc::text, 'validator', nullif(o.lanvalidator, 0)::regproc::text,
      'grants', ${grants(sql`o.lanacl`, sql`'l'::"char"`, sql`o.lanowner`)}`)}
    FROM pg_language o WHERE o.lanispl AND ${notOfExtension}`,
};

export const SCHEMA_CLASSES: readonly ObjectClass[] = [
  schemas,
  routines,
  aggregates,
  routineGrants,
  operators,
  operatorFamilies,
  operatorClasses,
  conversions,
  collations,
  textSearch,
  defaultPrivileges,
  extensions,
  eventTriggers,
  casts,
  transforms,
  foreignServers,
  accessMethods,
  languages,
];
