#!/usr/bin/env bash
# The proxy goes between the shop and its database, while nothing is at stake: later it can hold requests.
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

put_proxies_in
