# Sourced by setup.sh and grade.sh: what both need whatever the lab runs on. POSIX shell.

lab_root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1

say() { printf '%s\n' "$*" >&2; }

# Usage errors and things that this machine lacks.
refuse() {
  say "$*"
  exit 2
}

need_value() {
  [ $# -ge 2 ] && [ -n "$2" ] || refuse "$1 needs a value"
}

# $1: a question. Only a terminal is asked; elsewhere --yes must say it.
confirm() {
  [ "$assume_yes" = yes ] && return 0
  [ -t 0 ] || refuse "$1 Say --yes when there is nobody to ask."
  printf '%s [y/N] ' "$1" >&2
  read -r answer
  case $answer in
    y | Y | yes) return 0 ;;
    *) refuse 'Nothing was done.' ;;
  esac
}

require_node() {
  command -v node >/dev/null 2>&1 || refuse 'Node.js 20.19 or later is needed: https://nodejs.org'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    refuse "Node.js 20.19 or later is needed, this is $(node --version)"
  [ -d "$lab_root/node_modules/tsx" ] || refuse "Node packages are missing. Run: cd $lab_root && npm ci"
}

# $1: what was given as --mode; empty: as the lab that is there, or local.
require_mode() {
  require_node
  case $1 in
    '' | local | k8s) ;;
    *) refuse "--mode $1 is unknown. There are: local, k8s" ;;
  esac
}

# The lab's tool, told which lab; $mode may be empty. With exec=exec it takes the script's place: whoever ends the script ends it.
labctl() {
  command_name=$1
  shift
  if [ -n "$mode" ]; then set -- --mode "$mode" "$@"; fi
  ${exec:-} "$lab_root/lab/labctl.sh" "$command_name" --dir "$lab_dir" "$@"
}

absolute() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$PWD" "$1" ;;
  esac
}
