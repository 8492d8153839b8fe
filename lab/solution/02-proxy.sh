#!/usr/bin/env bash
# The proxy goes between the shop and its database. Nothing is refused: each replica opens its new sessions first,
# sends new requests there, and lets the running ones end where they are.
. "$(dirname -- "$0")/common.sh"

labctl start proxy --until listening -- node "$lab/../bin/pgglide.js" proxy --config "$work/pgglide.yaml"
labctl app "127.0.0.1:$(<"$work/proxy.port")"
