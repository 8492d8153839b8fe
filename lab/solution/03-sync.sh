#!/usr/bin/env bash
# Schema, rows and indexes go to the target, which then follows the source. The shop goes on meanwhile.
. "$(dirname -- "$0")/common.sh"
. "$lab/solution/way-$mode.sh"

sync
