#!/usr/bin/env bash
# Every row of both sides is compared, under load; and the stall is measured once without switching.
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

pgglide verify
pgglide rehearse
