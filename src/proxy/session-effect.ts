import { replaceQuoted } from '../domain/sql-quoting.ts';

/**
 * Can a statement leave something behind in its session (a setting, a lock, a channel, a temporary table), or take it away?
 * Answers "no" only when every word of it is known to be harmless; whatever is unknown may, and then the server is asked.
 * What a trigger or rule does behind an INSERT, UPDATE or DELETE is taken to end with its transaction.
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

const HARMLESS_STATEMENTS = words(`
  select insert update delete merge with values table begin start commit end rollback abort savepoint release
  fetch move show explain lock notify truncate copy analyze vacuum`);

/** What may stand before a parenthesis without calling anything that we do not know. */
const HARMLESS_BEFORE_PARENTHESIS = words(`
  in values and or not exists any all some as on using over filter group select from where union except intersect
  having by when then else case is between like ilike returning set limit offset distinct lateral only conflict key materialized
  cast array row coalesce nullif greatest least extract position substring overlay trim
  numeric decimal varchar char character bit varying timestamp timestamptz time timetz interval float
  count sum avg min max bool_and bool_or every stddev variance string_agg array_agg json_agg jsonb_agg
  json_object_agg jsonb_object_agg percentile_cont percentile_disc mode
  row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
  now clock_timestamp statement_timestamp transaction_timestamp timeofday age date_part date_trunc date_bin make_date
  make_time make_timestamp make_timestamptz make_interval to_char to_date to_timestamp to_number
  abs ceil ceiling floor round trunc sign sqrt power exp ln log mod div random width_bucket
  lower upper length char_length octet_length left right lpad rpad btrim ltrim rtrim concat concat_ws format replace
  repeat reverse split_part strpos starts_with initcap translate regexp_replace regexp_match regexp_matches
  regexp_split_to_array regexp_split_to_table md5 sha256 encode decode quote_ident quote_literal ascii chr substr
  to_json to_jsonb json_build_object jsonb_build_object json_build_array jsonb_build_array row_to_json
  json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text json_each jsonb_each
  json_each_text jsonb_each_text jsonb_set jsonb_insert jsonb_path_query jsonb_path_exists jsonb_pretty
  json_extract_path_text jsonb_extract_path_text jsonb_typeof json_array_length jsonb_array_length
  json_populate_record jsonb_populate_record json_to_recordset jsonb_to_recordset jsonb_strip_nulls
  array_length array_append array_prepend array_cat array_remove array_position array_to_string string_to_array
  cardinality unnest generate_series generate_subscripts
  gen_random_uuid nextval currval lastval hashtext
  pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
  to_tsvector to_tsquery plainto_tsquery websearch_to_tsquery ts_rank ts_headline similarity
  version current_database pg_backend_pid pg_sleep txid_current pg_current_wal_lsn pg_is_in_recovery
  pg_total_relation_size pg_relation_size pg_size_pretty obj_description format_type
  lower_inc upper_inc isempty int4range int8range numrange tsrange tstzrange daterange`);

/** The word before it, its schema, and the name: of a function, unless the word says that it is something else's. */
const BEFORE_PARENTHESIS = /\b(?:(\w+)\s+)?((?:\w+\s*\.\s*){0,2})([a-z_]\w*)\s*\(/g;
/** A table or an alias is named next, with its columns. */
const NAMED_BY = words('into copy as with recursive');

/** What else a name may consist of. Two underscores take its place: they stand in no word that we know. */
const OTHER_NAME_CHARACTER = /[$\u0080-\uffff]/g;

const MAX_TEXT = 20_000;

export function mayAffectSession(text: string): boolean {
  if (text.length > MAX_TEXT) return true;
  // With standard_conforming_strings off, the string may end elsewhere.
  if (text.includes("\\'")) return true;
  const plain = replaceQuoted(text, (quoted) =>
    quoted.startsWith('"') ? ' quoted_name ' : quoted.startsWith("'") ? " '' " : ' ',
  )
    .replace(OTHER_NAME_CHARACTER, '__')
    .toLowerCase();
  return plain.split(';').some((statement) => statement.trim() !== '' && !isHarmless(statement.trim()));
}

function isHarmless(statement: string): boolean {
  const [first = ''] = /^[a-z]+/.exec(statement.replace(/^\(+\s*/, '')) ?? [];
  if (first === 'set') return /^set\s+(local|transaction)\b/.test(statement);
  if (!HARMLESS_STATEMENTS.has(first)) return false;
  // SELECT ... INTO [TEMPORARY] makes a table.
  if (/^(select|with|explain)$/.test(first) && /(?<!\b(?:insert|merge)\s+)\binto\b/.test(statement))
    return false;
  // ANALYZE executes what is explained, which may be CREATE TABLE ... AS, EXECUTE or DECLARE.
  if (first === 'explain' && /\b(analy[sz]e|create|execute|declare)\b/.test(statement)) return false;
  if (/\bprepared?\b|\btransaction\s*'/.test(statement)) return false;
  for (const [, before = '', schema = '', name = ''] of statement.matchAll(BEFORE_PARENTHESIS)) {
    if (NAMED_BY.has(before)) continue;
    if (schema !== '' || !HARMLESS_BEFORE_PARENTHESIS.has(name)) return false;
  }
  return true;
}
