-- A new partition of a table that is found by the whole row: a partition does not inherit REPLICA IDENTITY FULL, so its first UPDATE
-- would fail in the application ("does not have a replica identity and publishes updates"). Run by the event trigger
-- pgglide_identity, where our role may create one, in the transaction that makes or attaches the partition, which holds its lock
-- already. Whatever goes wrong in it, the DDL goes on. On the side that follows, too, so that both sides stay alike.
CREATE FUNCTION pgglide.keep_identity() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET lock_timeout = '20ms' AS $keep$
DECLARE
  leaf regclass;
BEGIN
  FOR leaf IN
    -- ATTACH PARTITION names the parent only.
    WITH RECURSIVE touched(oid) AS (
      SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass AND object_type = 'table'
      UNION
      SELECT i.inhrelid FROM touched JOIN pg_inherits i ON i.inhparent = touched.oid)
    SELECT c.oid FROM touched JOIN pg_class c ON c.oid = touched.oid
    WHERE c.relkind = 'r' AND c.relispartition AND c.relpersistence = 'p' AND c.relreplident = 'd'
      AND NOT EXISTS (SELECT FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate)
      AND (EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
          WHERE r.prrelid = pg_partition_root(c.oid) AND starts_with(p.pubname, 'pgglide_'))
        OR EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = pg_partition_root(c.oid)))
  LOOP
    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', leaf);
  END LOOP;
EXCEPTION WHEN OTHERS THEN
  NULL;
END
$keep$;
