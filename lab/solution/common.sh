# Sourced by the solution's steps. bash.
set -euo pipefail
lab=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
export LAB_DIR=${LAB_DIR:-$(cd "$lab/.." && pwd)/.pgglide/lab}
report=${LAB_REPORT:-/tmp/lab-migration/migration-report.txt}
[[ -e $LAB_DIR/lab.json ]] || { echo "There is no lab in $LAB_DIR: run lab/setup.sh" >&2; exit 2; }

labctl() { "$lab/labctl.sh" "$@"; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }

# Ports and the files that hold passwords; known anew when the target has come.
connect() {
  # shellcheck source=/dev/null
  . "$LAB_DIR/connect/env.sh"
}
connect

work=$LAB_DIR/work
mkdir -p "$work"

pgglide() { node "$lab/../bin/pgglide.js" "$@" --config "$work/pgglide.yaml"; }
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }
# $1: a figure's name; stdin: what `labctl traffic` prints.
figure() { awk -v name="$1" '$1 == name { print $2 }'; }
