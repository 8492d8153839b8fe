#!/bin/sh
# A program for traffic.driver: hook. It switches a PgBouncer (transaction pools) through psql. Should pgglide die in the
# pause, a process that it leaves behind runs "observe" and "resume".
#
# PGBOUNCER_CONSOLE   connection string of the console; its password is in ~/.pgpass
# PGBOUNCER_INI       the file with the entry "NAME = host=... port=... dbname=..." and, before it, these two lines:
#                       ; side=source
#                       ; epoch=0
# PGBOUNCER_DATABASE  the entry's NAME
set -eu
ini=$PGBOUNCER_INI
name=$PGBOUNCER_DATABASE

console() { psql -XqAt -v ON_ERROR_STOP=1 -d "$PGBOUNCER_CONSOLE" -c "$1"; }
noted() { sed -n "s/^; $1=//p" "$ini"; }

case $1 in
observe)
  paused=$(console 'SHOW DATABASES' | awk -F'|' -v name="$name" '$1 == name { print $12 }') || exit 4
  [ "$paused" = 0 ] && paused=false || paused=true
  echo "{\"side\": \"$(noted side)\", \"epoch\": $(noted epoch), \"paused\": $paused}"
  ;;
pause)
  drain=$((PGGLIDE_DRAIN_MS / 1000)).$(printf %03d $((PGGLIDE_DRAIN_MS % 1000)))
  timeout "$drain" psql -XqAt -v ON_ERROR_STOP=1 -d "$PGBOUNCER_CONSOLE" -c "PAUSE $name" || exit 3
  ;;
resume)
  cp -p "$ini" "$ini.new"
  sed -e "s/^; side=.*/; side=$PGGLIDE_SIDE/" -e "s/^; epoch=.*/; epoch=$PGGLIDE_EPOCH/" \
    -e "s/^$name *=.*/$name = host=$PGGLIDE_HOST port=$PGGLIDE_PORT dbname=$PGGLIDE_DATABASE/" "$ini" >"$ini.new"
  mv "$ini.new" "$ini"
  console RELOAD || exit 4
  console "RESUME $name" 2>/dev/null || true # not paused: fine
  ;;
esac
