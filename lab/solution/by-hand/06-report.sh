#!/usr/bin/env bash
. "$(dirname -- "$0")/common.sh"

version() { "$1" -c "SELECT split_part(current_setting('server_version'), ' ', 1)"; }
count_rows() {
  target_sql -c "SELECT sum((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', c.oid::regclass), false, true, '')))[1]::text::bigint)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname IN ('public', 'billing')"
}
cutover=$(<"$work/cutover.time")
all=$(labctl traffic)
around=$(labctl traffic --around "$cutover")

mkdir -p "$(dirname -- "$report")"
cat >"$report" <<TEXT
Migration report

Source version: $(version source_sql)
Target version: $(version target_sql)
Started: $(<"$work/started.time")
Cutover: $cutover
Rows: $(count_rows)
Requests: $(figure requests <<<"$all")
Failed requests: $(figure failed <<<"$all")
Longest wait: $(figure longest_ms <<<"$around") ms
Rollback: the source follows the target through rollback_sub. To return: put PgBouncer in, PAUSE, wait for rollback_sub,
  carry the sequences, point PgBouncer at the source, RESUME.
TEXT
echo "Written: $report"
