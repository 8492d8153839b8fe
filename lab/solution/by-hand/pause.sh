# The pause itself, where PgBouncer's files are. Given by whoever reads it: source_sql, target_sql, console, now, $bouncer.
# Says when traffic was held and when it was released.

# Where it is read in a $( ), bash has forgotten this.
set -euo pipefail
# Until the new address is in force, every failure lets the traffic go on where it was.
trap 'console RESUME; echo "Given up: traffic goes on to the source" >&2' ERR
console PAUSE
held_at=$(now)
# Each psql takes its time to start, and everybody waits: one for the source, and one beside it for the target.
# 2 s are all that anybody may wait.
{
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
SELECT format('SELECT format(%L, %L, last_value, is_called) FROM %s', 'SELECT setval(%L, %s, %L);', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND n.nspname IN ('public', 'billing') \gexec
SQL
  echo "ALTER SUBSCRIPTION migration_sub DISABLE; SELECT FROM pg_create_logical_replication_slot('rollback_slot', 'pgoutput');"
} | target_sql >/dev/null
cat "$bouncer/next.ini" >"$bouncer/pgbouncer.ini"
# Older than 1.23 it says nothing of a file that it cannot read, and would go on to the source: look where it leads.
next=$(sed -n 's/^shop = host=\([^ ]*\) port=\([^ ]*\) .*/shop|\1|\2|/p' "$bouncer/next.ini")
[[ $(console RELOAD 'SHOW DATABASES') == *"$next"* ]]
released_at=$(now)
console RESUME
trap - ERR
echo "$held_at $released_at"
