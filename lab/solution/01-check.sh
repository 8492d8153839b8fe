#!/usr/bin/env bash
# The target is deployed and pgglide is told of both servers; then it looks for what would stop the migration.
. "$(dirname -- "$0")/common.sh"

labctl target start
connect

if [[ ! -e $work/pgglide.yaml ]]; then
  proxy_port=$(free_port)
  echo "$proxy_port" >"$work/proxy.port"
  # No password in it: they come from the file that PGPASSFILE names.
  cat >"$work/pgglide.yaml" <<YAML
migration: lab
source: postgresql://$SUPERUSER@127.0.0.1:$SOURCE_PORT/shop
target: postgresql://$SUPERUSER@127.0.0.1:$TARGET_PORT/shop
copy: { jobs: 2 }
proxy: { listen: "127.0.0.1:$proxy_port", control: "unix:$work/proxy.sock" }
traffic: { driver: proxy, proxies: ["unix:$work/proxy.sock"] }
YAML
fi
pgglide check
