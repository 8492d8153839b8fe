#!/usr/bin/env bash
# Requests wait in the proxy while the last changes drain; then they go to the target. With the switch behind it, the shop
# is pointed straight at the target, and the proxy goes (--keep-proxy: it stays). Changes flow back to the source from now on.
. "$(dirname -- "$0")/common.sh"

pgglide cutover
if [[ ${1:-} != --keep-proxy ]]; then
  labctl app "127.0.0.1:$TARGET_PORT"
  labctl stop proxy
fi
