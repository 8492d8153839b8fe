# Sourced by the steps.
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$lab/solution/by-hand/way-$mode.sh"

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

# PgBouncer can since 1.21, and does so unasked since 1.24.
carries_statements() { [[ $(console 'SHOW CONFIG') == *'max_prepared_statements|'[1-9]* ]]; }

# $1: host, $2: port of the server, $3: address and $4: port to listen on, $5: folder of its files.
bouncer_ini() {
  cat <<INI
[databases]
shop = host=$1 port=$2 dbname=shop
[pgbouncer]
listen_addr = $3
listen_port = $4
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $5/users.txt
admin_users = shop
pool_mode = transaction
default_pool_size = 20
ignore_startup_parameters = extra_float_digits
INI
}
