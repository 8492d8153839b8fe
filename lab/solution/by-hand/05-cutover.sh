#!/usr/bin/env bash
# The switch: hold, drain, carry the sequences, arm the way back, go on. Then the shop goes straight to the target.
. "$(dirname -- "$0")/common.sh"

# Prepared while nobody waits: the way back, not running yet. Its slot must be made in the pause, neither before
# (what came from the source would go back) nor after (the first writes would be missed).
target_sql -c 'CREATE PUBLICATION rollback_pub FOR ALL TABLES'
source_sql <<SQL
SET log_min_error_statement = panic;
CREATE SUBSCRIPTION rollback_sub CONNECTION '$(conninfo target)' PUBLICATION rollback_pub
  WITH (enabled = false, create_slot = false, slot_name = rollback_slot, copy_data = false, disable_on_error = true);
SQL
target_sql -c 'REFRESH MATERIALIZED VIEW public.daily_sales'

times=$(run_pause)
echo "${times##* }" >"$work/cutover.time"
echo "Held from ${times% *} to ${times##* }"

source_sql -c 'ALTER SUBSCRIPTION rollback_sub ENABLE'
target_sql -c 'DROP SUBSCRIPTION migration_sub'
source_sql -c 'DROP PUBLICATION migration_pub'

labctl app "$(target_address)"
stop_bouncer
