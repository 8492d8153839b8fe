-- The fence's triggers are ENABLE ALWAYS: sessions with session_replication_role = replica, as loaders set it, are refused, too.
-- So the workers of a subscription and our own sessions must be let through here. A worker's row changes fire no statement
-- trigger, but its TRUNCATE and the rows of a table's first synchronization do.
CREATE OR REPLACE FUNCTION pgglide.fence() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $fence$
BEGIN
  IF current_setting('pgglide.passes_fence', true) = 'on'
    OR EXISTS (SELECT FROM pg_stat_subscription WHERE pid = pg_backend_pid()) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'pgglide fence: this server is not the active side of the migration, table "%"."%" takes no writes here',
      TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = '25006', HINT = 'Connect through the proxy, or to the active side ("pgglide status" names it).';
END
$fence$;

-- Run by the event trigger pgglide_keep_fence, where our role may create it: ALTER TABLE ... DISABLE TRIGGER USER, as bulk
-- loads run it, would open the fence.
CREATE FUNCTION pgglide.keep_fence() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $keep$
DECLARE
  opened text;
BEGIN
  IF pg_sequence_last_value('pgglide.fence_state') = 0 OR current_setting('pgglide.passes_fence', true) = 'on' THEN
    RETURN;
  END IF;
  SELECT c.object_identity INTO opened
  FROM pg_event_trigger_ddl_commands() c JOIN pg_trigger t ON t.tgrelid = c.objid
  WHERE c.classid = 'pg_class'::regclass AND t.tgname = 'pgglide_fence' AND t.tgenabled <> 'A'
  LIMIT 1;
  IF opened IS NOT NULL THEN
    RAISE EXCEPTION 'pgglide fence: this server is not the active side of the migration, the trigger pgglide_fence of % stays enabled here', opened
      USING ERRCODE = '25006', HINT = 'Name the triggers to disable, or connect to the active side ("pgglide status" names it).';
  END IF;
END
$keep$;
