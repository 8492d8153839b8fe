#!/usr/bin/env bash
# The whole migration by hand: what pgglide does for you, with nothing but psql, pg_dump and PgBouncer.
. "$(dirname -- "$0")/common.sh"

now >"$work/started.time"
for step in 01-target 02-pgbouncer 03-replicate 04-verify 05-cutover 06-report; do
  echo "== $step"
  "$(dirname -- "$0")/$step.sh"
done
