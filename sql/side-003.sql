-- DDL as it happens, so that it is told before the schema's fingerprint is next looked at. Nothing depends on it: the fingerprint judges.
-- Unlogged: no publication of anybody's sends it, it costs no WAL, and after a crash it is empty. No key: nobody waits for anybody's row.
CREATE UNLOGGED TABLE pgglide.noted_ddl (
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  command text NOT NULL,
  -- As pg_identify_object() writes them.
  object text,
  schemas text[] NOT NULL,
  role text NOT NULL
);
-- How many were noted since they were last settled. A sequence, so that counting reads no table: in a SERIALIZABLE
-- transaction of the application's a read of ours could end it.
CREATE SEQUENCE pgglide.noted_ddl_count;

-- Run by the event triggers pgglide_ddl and pgglide_drop, which exist where our role may create them, in the session of
-- whoever runs DDL, with our rights. Whatever goes wrong in it, the DDL goes on; it waits for no lock to speak of.
CREATE FUNCTION pgglide.note_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $note$
BEGIN
  -- Our own sessions; and a side whose fence is raised only follows.
  IF starts_with(current_setting('application_name'), 'pgglide: ')
    OR pg_sequence_last_value('pgglide.fence_state') = 1
    OR TG_TAG IN ('REFRESH MATERIALIZED VIEW', 'REINDEX')
    -- What is dropped by an ALTER is noted as that.
    OR (TG_EVENT = 'sql_drop' AND TG_TAG NOT LIKE 'DROP %') THEN
    RETURN;
  END IF;
  IF TG_EVENT = 'sql_drop' THEN
    INSERT INTO pgglide.noted_ddl (command, object, schemas, role)
    SELECT * FROM (
      SELECT TG_TAG, left(string_agg(DISTINCT object_identity, ', '), 500),
        coalesce(array_agg(DISTINCT schema_name) FILTER (WHERE schema_name IS NOT NULL), '{}'),
        CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END
      FROM pg_event_trigger_dropped_objects()
      WHERE original AND NOT is_temporary AND coalesce(schema_name, '') NOT IN ('pg_temp', 'pgglide')
      HAVING count(*) > 0) AS found
    WHERE nextval('pgglide.noted_ddl_count') <= 1000;
  ELSE
    INSERT INTO pgglide.noted_ddl (command, object, schemas, role)
    SELECT * FROM (
      -- CREATE TABLE makes its key's index and its sequences, too: only what the statement names.
      SELECT TG_TAG, left(string_agg(DISTINCT object_identity, ', ') FILTER (WHERE command_tag = TG_TAG), 500),
        coalesce(array_agg(DISTINCT schema_name) FILTER (WHERE schema_name IS NOT NULL), '{}'),
        CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END
      FROM pg_event_trigger_ddl_commands()
      WHERE NOT in_extension AND coalesce(schema_name, '') NOT IN ('pg_temp', 'pgglide')
      HAVING count(*) > 0) AS found
    WHERE nextval('pgglide.noted_ddl_count') <= 1000;
  END IF;
EXCEPTION WHEN OTHERS THEN
  NULL;
END
$note$;
