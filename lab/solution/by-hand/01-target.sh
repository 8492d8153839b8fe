#!/usr/bin/env bash
# The target, and on it what replication does not bring: roles, the schema, settings of the database.
. "$(dirname -- "$0")/common.sh"

labctl target start
[[ $mode == k8s ]] || connect
dump_roles | grep -v "^CREATE ROLE $SUPERUSER;" | target_sql >/dev/null
dump_source --schema-only --create | grep '^ALTER DATABASE .* SET ' | target_sql
dump_source --schema-only | grep -v '^\\\(un\)\?restrict ' | target_sql --single-transaction >/dev/null
