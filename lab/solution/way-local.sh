# Sourced by the steps with pgglide, where the lab runs as processes of this machine.

# Ports and the files that hold passwords; known anew when the target has come.
connect() {
  # shellcheck source=/dev/null
  . "$LAB_DIR/connect/env.sh"
}
connect

pgglide() { node "$lab/../bin/pgglide.js" "$@" --config "$work/pgglide.yaml"; }
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }

configure() {
  connect
  [[ ! -e $work/pgglide.yaml ]] || return 0
  local port
  port=$(free_port)
  echo "$port" >"$work/proxy.port"
  # No password in it: they come from the file that PGPASSFILE names.
  cat >"$work/pgglide.yaml" <<YAML
migration: lab
source: postgresql://$SUPERUSER@127.0.0.1:$SOURCE_PORT/shop
target: postgresql://$SUPERUSER@127.0.0.1:$TARGET_PORT/shop
copy: { jobs: 2 }
proxy: { listen: "127.0.0.1:$port", control: "unix:$work/proxy.sock" }
traffic: { driver: proxy, proxies: ["unix:$work/proxy.sock"] }
YAML
}

check() { pgglide check; }
sync() { pgglide sync; }

# Nothing is refused: each replica opens its new sessions first, sends new requests there, and lets the running ones end.
put_proxies_in() {
  labctl start proxy --until listening -- node "$lab/../bin/pgglide.js" proxy --config "$work/pgglide.yaml"
  labctl app "127.0.0.1:$(<"$work/proxy.port")"
}
take_proxies_out() {
  labctl app "127.0.0.1:$TARGET_PORT"
  labctl stop proxy
}
