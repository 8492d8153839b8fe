# Sourced by the solution's steps. bash.
set -euo pipefail
lab=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
export LAB_DIR=${LAB_DIR:-$(cd "$lab/.." && pwd)/.pgglide/lab}
report=${LAB_REPORT:-/tmp/lab-migration/migration-report.txt}
[[ -e $LAB_DIR/lab.json ]] || { echo "There is no lab in $LAB_DIR: run lab/setup.sh" >&2; exit 2; }
work=$LAB_DIR/work
mkdir -p "$work"

labctl() { "$lab/labctl.sh" "$@"; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }
# $1: a figure's name; stdin: what `labctl traffic` prints.
figure() { awk -v name="$1" '$1 == name { print $2 }'; }
# $1: a key of lab.json
of_lab() { node -p 'JSON.parse(require("fs").readFileSync(process.argv[1]))[process.argv[2]] ?? ""' "$LAB_DIR/lab.json" "$1"; }

mode=$(of_lab mode)
if [[ $mode == k8s ]]; then
  context=$(of_lab context) namespace=$(of_lab namespace) image=$(of_lab image)
  kubeconfig=$(of_lab kubeconfig)
  [[ -z $kubeconfig ]] || export KUBECONFIG=$kubeconfig
  kubectl() { command kubectl --context "$context" --namespace "$namespace" "$@"; }
fi
