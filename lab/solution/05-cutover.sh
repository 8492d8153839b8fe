#!/usr/bin/env bash
# Requests wait in the proxy while the last changes drain; then they go to the target. With the switch behind it, the shop
# is pointed straight at the target, and the proxy goes (--keep-proxy: it stays). Changes flow back to the source from now on.
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

pgglide cutover
if [[ ${1:-} != --keep-proxy ]]; then
  labctl app "$(target_address)"
  stop_proxy
fi
