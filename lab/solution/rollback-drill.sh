#!/usr/bin/env bash
# There and back: the safety net is worth what its last drill was worth. Afterwards the shop is on the target again, and
# the report must be written anew (06-report.sh): the cutover that counts is the last one.
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

"$lab/solution/02-proxy.sh"
pgglide rollback
labctl info | grep '^shop '
pgglide verify
"$lab/solution/05-cutover.sh"
