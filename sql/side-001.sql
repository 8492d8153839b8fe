-- What pgglide keeps on both servers: a schema, the fence's function, and the list of what was installed.
CREATE SCHEMA IF NOT EXISTS pgglide;
COMMENT ON SCHEMA pgglide IS 'pgglide: removed by "pgglide complete" and "pgglide abort"';

CREATE TABLE pgglide.installed (
  file text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Fires for every session but the apply workers (they run with session_replication_role = replica).
CREATE FUNCTION pgglide.fence() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $fence$
BEGIN
  RAISE EXCEPTION 'pgglide fence: this server is not the active side of the migration, table "%"."%" takes no writes here',
      TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = '25006', HINT = 'Connect through the proxy, or to the active side ("pgglide status" names it).';
END
$fence$;
