#!/usr/bin/env bash
# Requests wait in the proxy while the last changes drain; then they go to the target. With the switch behind it, the shop
# is pointed straight at the target, and the proxy goes (--keep-proxy: it stays; in a cluster it stays until `complete`).
# Changes flow back to the source from now on.
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

pgglide cutover
[[ ${1:-} == --keep-proxy ]] || take_proxies_out
