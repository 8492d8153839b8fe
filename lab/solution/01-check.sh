#!/usr/bin/env bash
# The target is deployed and pgglide is told of both servers; then it looks for what would stop the migration.
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

labctl target start
configure
check
