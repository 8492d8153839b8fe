-- Both functions of side-004 and side-005 look at the relations of a statement one by one: joined with a catalog, the planner, who takes
-- the statement's few objects for a hundred or more, read all of pg_trigger and pg_class at each ALTER TABLE, milliseconds where there
-- are thousands of tables. Nor may it be read like that because it was small when the session's plan was made: enable_seqscan.
CREATE OR REPLACE FUNCTION pgglide.keep_fence() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $keep$
DECLARE
  touched record;
BEGIN
  IF pg_sequence_last_value('pgglide.fence_state') = 0 OR current_setting('pgglide.passes_fence', true) = 'on' THEN
    RETURN;
  END IF;
  FOR touched IN
    SELECT objid, object_identity FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass
  LOOP
    IF EXISTS (SELECT FROM pg_trigger t
      WHERE t.tgrelid = touched.objid AND t.tgname = 'pgglide_fence' AND t.tgenabled <> 'A') THEN
      RAISE EXCEPTION 'pgglide fence: this server is not the active side of the migration, the trigger pgglide_fence of % stays enabled here', touched.object_identity
        USING ERRCODE = '25006', HINT = 'Name the triggers to disable, or connect to the active side ("pgglide status" names it).';
    END IF;
  END LOOP;
END
$keep$;

CREATE OR REPLACE FUNCTION pgglide.keep_identity() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '20ms' AS $keep$
DECLARE
  touched oid;
  leaf regclass;
BEGIN
  FOR touched IN
    SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass AND object_type = 'table'
  LOOP
    CONTINUE WHEN NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = touched AND (c.relispartition OR c.relkind = 'p'));
    FOR leaf IN
      -- ATTACH PARTITION names the parent only.
      WITH RECURSIVE tree(oid) AS (
        SELECT touched
        UNION
        SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
      SELECT c.oid FROM tree JOIN pg_class c ON c.oid = tree.oid
      WHERE c.relkind = 'r' AND c.relispartition AND c.relpersistence = 'p' AND c.relreplident = 'd'
        AND NOT EXISTS (SELECT FROM pg_index i
          WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate)
        AND (EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
            WHERE r.prrelid = pg_partition_root(c.oid) AND starts_with(p.pubname, 'pgglide_'))
          OR EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = pg_partition_root(c.oid)))
    LOOP
      EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', leaf);
    END LOOP;
  END LOOP;
EXCEPTION WHEN OTHERS THEN
  NULL;
END
$keep$;
