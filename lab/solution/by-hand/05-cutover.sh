#!/usr/bin/env bash
# The switch: hold, drain, carry the sequences, arm the way back, go on. Then the shop goes straight to the target.
. "$(dirname -- "$0")/common.sh"

# Prepared while nobody waits: the way back, not running yet. Its slot must be made in the pause, neither before
# (what came from the source would go back) nor after (the first writes would be missed).
target_sql -c 'CREATE PUBLICATION rollback_pub FOR ALL TABLES'
source_sql <<SQL
SET log_min_error_statement = panic;
CREATE SUBSCRIPTION rollback_sub CONNECTION '$(conninfo "$TARGET_PORT")' PUBLICATION rollback_pub
  WITH (enabled = false, create_slot = false, slot_name = rollback_slot, copy_data = false, disable_on_error = true);
SQL
target_sql -c 'REFRESH MATERIALIZED VIEW public.daily_sales'
sed "s/port=$SOURCE_PORT/port=$TARGET_PORT/" "$bouncer/pgbouncer.ini" >"$work/pgbouncer.ini.next"

# Until the new address is in force, every failure lets the traffic go on where it was.
trap 'console RESUME; echo "Given up: traffic goes on to the source" >&2' ERR
console PAUSE
held_at=$(now)
# 2 s are all that anybody may wait.
source_sql <<'SQL'
SET statement_timeout = '2s';
DO $$
DECLARE
  position CONSTANT pg_lsn := pg_current_wal_lsn();
BEGIN
  WHILE NOT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'migration_sub' AND replay_lsn >= position) LOOP
    PERFORM pg_sleep(0.002);
  END LOOP;
END $$;
SQL
source_sql <<'SQL' | target_sql >/dev/null
SELECT format('SELECT format(%L, %L, last_value, is_called) FROM %s', 'SELECT setval(%L, %s, %L);', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND n.nspname IN ('public', 'billing') \gexec
SQL
target_sql -c 'ALTER SUBSCRIPTION migration_sub DISABLE' -c "SELECT FROM pg_create_logical_replication_slot('rollback_slot', 'pgoutput')"
cat "$work/pgbouncer.ini.next" >"$bouncer/pgbouncer.ini"
console RELOAD
trap - ERR
now >"$work/cutover.time"
console RESUME
echo "Held from $held_at to $(<"$work/cutover.time")"

source_sql -c 'ALTER SUBSCRIPTION rollback_sub ENABLE'
target_sql -c 'DROP SUBSCRIPTION migration_sub'
source_sql -c 'DROP PUBLICATION migration_pub'

labctl app "127.0.0.1:$TARGET_PORT"
labctl stop pgbouncer
