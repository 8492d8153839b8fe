#!/usr/bin/env bash
# The target, and on it what replication does not bring: roles, the schema, settings of the database.
. "$(dirname -- "$0")/common.sh"

labctl target start
connect
pg_dumpall --roles-only --dbname=service=source | grep -v "^CREATE ROLE $SUPERUSER;" | target_sql >/dev/null
pg_dump --schema-only --create service=source | grep '^ALTER DATABASE .* SET ' | target_sql
pg_dump --schema-only service=source | grep -v '^\\\(un\)\?restrict ' | target_sql --single-transaction >/dev/null
