/** What scripts find on both servers. `ro` is never written to; `w` is written to by transactions that look at their own rows only. */

/** Of each session that speaks at the same time as others. */
export const OWN: readonly string[] = ['', '1', '2'];
const each = (statement: (own: string) => string): string => OWN.map(statement).join(' ');

export const schemaFor = (side: 'source' | 'target', plainRole: string): string => `
${side === 'target' ? 'CREATE TYPE before_the_others AS ENUM (); CREATE TYPE and_another AS ENUM ();' : ''}
CREATE ROLE ${plainRole};
GRANT ALL ON SCHEMA public TO PUBLIC;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE TABLE ro (k int PRIMARY KEY, t text, m mood, n numeric, b bytea, d timestamptz);
INSERT INTO ro SELECT k, repeat(chr(96 + k), k), (ARRAY['sad', 'ok', 'happy'])[1 + k % 3]::mood, k / 7.0,
  decode(lpad(k::text, 4, '0'), 'hex'), '2026-01-01 12:00:00+00'::timestamptz + k * interval '1 day' FROM generate_series(1, 6) k;
CREATE SCHEMA other;
CREATE TABLE other.ro (k int PRIMARY KEY, t text, m mood);
INSERT INTO other.ro VALUES (1, 'other one', 'sad'), (2, 'other two', 'happy');
${each(
  (own) => `CREATE TABLE w${own} (tx xid8 DEFAULT pg_current_xact_id(), v int CHECK (v <> 13), t text);
CREATE TABLE late${own} (v int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE SEQUENCE sq${own};`,
)}
CREATE FUNCTION noisy(words text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'heard %', words; RETURN words; END$$;
CREATE FUNCTION boom(n int) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'boom %', n USING HINT = 'go away'; END$$;
CREATE FUNCTION be(tenant text) RETURNS text LANGUAGE sql AS $$SELECT set_config('app.hidden', tenant, false)$$;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
GRANT ALL ON SCHEMA other TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA other TO PUBLIC;
${each((own) => `ALTER SEQUENCE sq${own} OWNER TO ${plainRole};`)}
`;

/** Once a script is over: what its transactions left. */
export const WRITTEN = `${OWN.map((own) => `SELECT 'w${own}' AS w, v, t FROM public.w${own}`).join(' UNION ALL ')} ORDER BY 1, 2, 3`;
export const FORGET_WRITTEN = `TRUNCATE ${OWN.map((own) => `public.w${own}, public.late${own}`).join(', ')}`;

/** Asked by the session itself at a script's end: all that it holds. */
export const INVENTORY: readonly string[] = [
  `SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session' ORDER BY 1`,
  `SELECT n, pg_catalog.current_setting('app.' || n, true) FROM pg_catalog.unnest('{a,b,c,d,e,hidden}'::text[]) n`,
  `SELECT name, from_sql, pg_catalog.array_length(parameter_types, 1) FROM pg_catalog.pg_prepared_statements WHERE name NOT LIKE '\\_pgglide%' ORDER BY 1`,
  `SELECT c FROM pg_catalog.pg_listening_channels() c ORDER BY 1`,
  `SELECT classid::int8, objid::int8, objsubid, mode FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() ORDER BY 1, 2, 3, 4`,
  `SELECT session_user = '{plain}', current_user = '{plain}', pg_catalog.current_setting('role') = '{plain}'`,
  `SELECT name FROM pg_catalog.pg_cursors ORDER BY 1`,
];
