#!/usr/bin/env bash
# The proxy goes between the shop and its database. Nothing is refused: each replica opens its new sessions first,
# and lets the running requests end where they are (without a cluster), or is replaced by another one (with one).
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

start_proxy
labctl app "$(proxy_address)"
