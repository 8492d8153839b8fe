#!/usr/bin/env bash
# Publication on the source, subscription on the target: first the rows that are there, then every change.
. "$(dirname -- "$0")/common.sh"

# Every table has a replica identity (\d+ tells); without one its UPDATE would fail from this moment on.
source_sql -c 'CREATE PUBLICATION migration_pub FOR ALL TABLES'
# What the apply worker commits must be flushed at once: the cutover waits for it.
target_sql <<SQL
SET log_min_error_statement = panic;
CREATE SUBSCRIPTION migration_sub CONNECTION '$(conninfo source)'
  PUBLICATION migration_pub WITH (synchronous_commit = on, disable_on_error = true);
SQL
wait_until 'the first copy' target_sql -c "SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel"
target_sql -c 'REFRESH MATERIALIZED VIEW public.daily_sales'
target_sql -c 'ANALYZE'
