#!/bin/sh
# A program for traffic.driver: hook. It switches a PgBouncer (transaction pools) through psql, and keeps the lease:
# should pgglide die in the pause before the commit point was announced, requests go on where they were.
#
# PGBOUNCER_CONSOLE   connection string of the console; its password is in ~/.pgpass
# PGBOUNCER_INI       the file with the entry "NAME = host=... port=... dbname=..." and, before it, these two lines:
#                       ; side=source
#                       ; epoch=0
# PGBOUNCER_DATABASE  the entry's NAME
set -eu
ini=$PGBOUNCER_INI
name=$PGBOUNCER_DATABASE
lease=$ini.lease

console() { psql -XqAt -v ON_ERROR_STOP=1 -d "$PGBOUNCER_CONSOLE" -c "$1"; }
noted() { sed -n "s/^; $1=//p" "$ini"; }
now_ms() { date +%s%3N; }
extend() { echo $(($(now_ms) + PGGLIDE_LEASE_MS)) >"$lease"; }

# Runs beside the pause and ends with it.
watch_lease() {
  while sleep 0.2 && [ -f "$lease" ]; do
    if [ "$(now_ms)" -ge "$(cat "$lease")" ]; then
      rm -f "$lease"
      console "RESUME $name"
    fi
  done
}

case $1 in
observe)
  paused=$(console 'SHOW DATABASES' | awk -F'|' -v name="$name" '$1 == name { print $12 }') || exit 4
  [ "$paused" = 0 ] && paused=false || paused=true
  echo "{\"side\": \"$(noted side)\", \"epoch\": $(noted epoch), \"paused\": $paused}"
  ;;
pause)
  extend
  # By exec: pgglide waits until nobody holds our output any more.
  (exec >/dev/null 2>&1; watch_lease) &
  drain=$((PGGLIDE_DRAIN_MS / 1000)).$(printf %03d $((PGGLIDE_DRAIN_MS % 1000)))
  timeout "$drain" psql -XqAt -v ON_ERROR_STOP=1 -d "$PGBOUNCER_CONSOLE" -c "PAUSE $name" || exit 3
  ;;
renew)
  [ ! -f "$lease" ] || extend
  ;;
committing)
  # From here on only resume ends the pause: the other side may be the active one.
  rm -f "$lease"
  ;;
resume)
  rm -f "$lease"
  cp -p "$ini" "$ini.new"
  sed -e "s/^; side=.*/; side=$PGGLIDE_SIDE/" -e "s/^; epoch=.*/; epoch=$PGGLIDE_EPOCH/" \
    -e "s/^$name *=.*/$name = host=$PGGLIDE_HOST port=$PGGLIDE_PORT dbname=$PGGLIDE_DATABASE/" "$ini" >"$ini.new"
  mv "$ini.new" "$ini"
  console RELOAD || exit 4
  console "RESUME $name" 2>/dev/null || true # not paused: fine
  ;;
esac
