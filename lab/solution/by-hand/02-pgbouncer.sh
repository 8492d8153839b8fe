#!/usr/bin/env bash
# PgBouncer goes between the shop and its database. In transaction pooling each transaction may get another session, so the
# shop must do without named statements (PgBouncer before 1.21 does not carry them along).
. "$(dirname -- "$0")/common.sh"

mkdir -p "$bouncer"
free_port >"$bouncer/port"
cat >"$bouncer/pgbouncer.ini" <<INI
[databases]
shop = host=127.0.0.1 port=$SOURCE_PORT dbname=shop
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $(bouncer_port)
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $bouncer/users.txt
admin_users = shop
pool_mode = transaction
default_pool_size = 20
ignore_startup_parameters = extra_float_digits
INI
(umask 077 && awk -F: '$4 == "shop" { printf "\"shop\" \"%s\"\n", $5 }' "$PGPASSFILE" >"$bouncer/users.txt")

# It refuses to run as root, and reads its files again later: they must be its account's.
account=()
if [[ $(id -u) == 0 ]]; then
  chown -R nobody "$bouncer"
  account=(-u nobody)
fi
labctl start pgbouncer --until 'process up' -- pgbouncer "${account[@]}" "$bouncer/pgbouncer.ini"
labctl app "127.0.0.1:$(bouncer_port)" --unprepared
