# Read by bash in PgBouncer's pod, before pause.sh: the same names there as here.
set -euo pipefail
bouncer=/run/pgbouncer
unset PGUSER PGPASSWORD
# Before Debian's psql, which is a script that looks for the right one.
export PATH=/usr/lib/postgresql/15/bin:$PATH
export PGPASSFILE=$bouncer/pgpass
source_sql() { psql -qAtX -v ON_ERROR_STOP=1 -h pg-source -U postgres shop "$@"; }
target_sql() { psql -qAtX -v ON_ERROR_STOP=1 -h pg-target -U postgres shop "$@"; }
console() { psql -qAtX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p 6432 -U shop pgbouncer "${@/#/-c}"; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }
