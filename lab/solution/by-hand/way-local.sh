# Sourced by the steps by hand, where the lab runs as processes of this machine. What they need besides it: psql, pg_dump and
# PgBouncer (Debian: postgresql-client, pgbouncer).
connect() {
  # shellcheck source=/dev/null
  . "$LAB_DIR/connect/env.sh"
}
connect

for program in psql pg_dump pg_dumpall pgbouncer; do
  command -v "$program" >/dev/null || {
    echo "The way by hand needs $program. Debian: apt install postgresql-client pgbouncer" >&2
    exit 2
  }
done

export PGOPTIONS='-c client_min_messages=warning'
source_sql() { psql -qAtX -v ON_ERROR_STOP=1 service=source "$@"; }
target_sql() { psql -qAtX -v ON_ERROR_STOP=1 service=target "$@"; }
dump_source() { pg_dump "$@" service=source; }
dump_roles() { pg_dumpall --roles-only --dbname=service=source; }

# For CREATE SUBSCRIPTION, on stdin only: an argument would be seen by everybody.
conninfo() {
  local port=$SOURCE_PORT password
  [[ $1 == source ]] || port=$TARGET_PORT
  password=$(awk -F: -v port="$port" '$2 == port { print $5 }' "$PGPASSFILE")
  printf 'host=127.0.0.1 port=%s user=%s dbname=shop password=%s' "$port" "$SUPERUSER" "$password"
}

bouncer=$work/pgbouncer
bouncer_port() { cat "$bouncer/port"; }
# PgBouncer knows no startup options.
console() { PGOPTIONS='' psql -qAtX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(bouncer_port)" -U shop pgbouncer "${@/#/-c}"; }
bouncer_address() { echo "127.0.0.1:$(bouncer_port)"; }
target_address() { echo "127.0.0.1:$TARGET_PORT"; }

start_bouncer() {
  mkdir -p "$bouncer"
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })' >"$bouncer/port"
  bouncer_ini 127.0.0.1 "$SOURCE_PORT" 127.0.0.1 "$(bouncer_port)" "$bouncer" >"$bouncer/pgbouncer.ini"
  bouncer_ini 127.0.0.1 "$TARGET_PORT" 127.0.0.1 "$(bouncer_port)" "$bouncer" >"$bouncer/next.ini"
  (umask 077 && awk -F: '$4 == "shop" { printf "\"shop\" \"%s\"\n", $5 }' "$PGPASSFILE" >"$bouncer/users.txt")
  # It refuses to run as root, and reads its files again later: they must be its account's.
  local account=()
  if [[ $(id -u) == 0 ]]; then
    chown -R nobody "$bouncer"
    account=(-u nobody)
  fi
  labctl start pgbouncer --until 'process up' -- pgbouncer "${account[@]}" "$bouncer/pgbouncer.ini"
  console RELOAD
  if awk '/process up/ { failed = 0 } /config file loading failed/ { failed = 1 } END { exit !failed }' "$LAB_DIR/logs/pgbouncer.log"; then
    stop_bouncer
    echo "PgBouncer cannot read $bouncer/pgbouncer.ini again: its account may not enter the folder. Make a lab elsewhere: setup.sh --dir" >&2
    exit 1
  fi
}
stop_bouncer() { labctl stop pgbouncer; }

run_pause() (. "$lab/solution/by-hand/pause.sh")
