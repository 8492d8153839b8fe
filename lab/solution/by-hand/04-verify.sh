#!/usr/bin/env bash
# Tables that stand still are compared whole; of the log of requests, all that is older than a few seconds.
. "$(dirname -- "$0")/common.sh"

checksums() {
  local table
  for table in public.countries public.categories public.addresses public.price_list public.gift_cards; do
    echo "SELECT '$table', count(*), md5(string_agg(t::text, '' ORDER BY t::text COLLATE \"C\")) FROM $table t;"
  done
  echo "SELECT 'request_log', count(*), md5(string_agg(t::text, '' ORDER BY t.request_id COLLATE \"C\"))
    FROM public.request_log t WHERE done_at < '$1';"
}

source_sql -c 'SELECT pg_current_wal_lsn()' >"$work/verify.lsn"
until_time=$(date -u -d '5 seconds ago' +%FT%TZ)
wait_until 'the target to catch up' source_sql -c "SELECT replay_lsn >= '$(<"$work/verify.lsn")' FROM pg_stat_replication WHERE application_name = 'migration_sub'"
diff <(checksums "$until_time" | source_sql) <(checksums "$until_time" | target_sql)
echo 'Checksums of both sides are equal'
