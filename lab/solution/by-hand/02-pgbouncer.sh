#!/usr/bin/env bash
# PgBouncer goes between the shop and its database. In transaction pooling each transaction may get another session, so the
# shop must do without named statements (PgBouncer before 1.21 does not carry them along).
. "$(dirname -- "$0")/common.sh"

start_bouncer
labctl app "$(bouncer_address)" --unprepared
