#!/usr/bin/env bash
# PgBouncer goes between the shop and its database. In transaction pooling each transaction may get another session, so
# where PgBouncer does not carry named statements along, the shop must do without: every request is planned anew then.
. "$(dirname -- "$0")/common.sh"

start_bouncer
if carries_statements; then
  labctl app "$(bouncer_address)"
else
  labctl app "$(bouncer_address)" --unprepared
fi
