# Sourced by the steps. What they need besides the lab: psql, pg_dump and PgBouncer (Debian: postgresql-client, pgbouncer).
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"

connect() {
  # shellcheck source=/dev/null
  . "$LAB_DIR/connect/env.sh"
}
connect
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }

for program in psql pg_dump pg_dumpall pgbouncer; do
  command -v "$program" >/dev/null || {
    echo "The way by hand needs $program. Debian: apt install postgresql-client pgbouncer" >&2
    exit 2
  }
done

export PGOPTIONS='-c client_min_messages=warning'
source_sql() { psql -qAtX -v ON_ERROR_STOP=1 service=source "$@"; }
target_sql() { psql -qAtX -v ON_ERROR_STOP=1 service=target "$@"; }

# $1: port. For CREATE SUBSCRIPTION, on stdin only: an argument would be seen by everybody.
conninfo() {
  local password
  password=$(awk -F: -v port="$1" '$2 == port { print $5 }' "$PGPASSFILE")
  printf "host=127.0.0.1 port=%s user=%s dbname=shop password=%s" "$1" "$SUPERUSER" "$password"
}

bouncer=$work/pgbouncer
bouncer_port() { cat "$bouncer/port"; }
# PgBouncer knows no startup options.
console() { PGOPTIONS='' psql -qAtX -h 127.0.0.1 -p "$(bouncer_port)" -U shop pgbouncer -c "$1"; }

# $1: until what; the rest: a query that says t when it is so.
wait_until() {
  local what=$1
  shift
  for ((tries = 0; tries < 600; tries++)); do
    [[ $("$@") == t ]] && return
    sleep 0.2
  done
  echo "Waited in vain for $what" >&2
  exit 1
}
