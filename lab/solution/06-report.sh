#!/usr/bin/env bash
# The report: what the grader asks for, each figure from where it was measured, and below it pgglide's own account.
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

pgglide report --format json >"$work/report.json"
fact() { node -p "const r = JSON.parse(require('fs').readFileSync('$work/report.json')); const switched = r.switchovers.filter((s) => s.direction === 'cutover').at(-1); $1"; }
cutover=$(fact switched.resumedAt)
all=$(labctl traffic)
around=$(labctl traffic --around "$cutover")

mkdir -p "$(dirname -- "$report")"
cat >"$report" <<TEXT
Migration report

Source version: $(fact r.source.version)
Target version: $(fact r.target.version)
Started: $(fact r.startedAt)
Cutover: $cutover
Rows: $(fact r.copy.rows)
Requests: $(figure requests <<<"$all")
Failed requests: $(figure failed <<<"$all")
Longest wait: $(figure longest_ms <<<"$around") ms
Rollback: changes flow back to the source. To return without losing a write: solution/rollback-drill.sh, that is
  1. start the proxy and point the shop at it   2. pgglide rollback   3. point the shop at the source

$(pgglide report)
TEXT
echo "Written: $report"
