#!/bin/sh
# Grades the lab: reads servers and ledger itself, believes no file. May be run at any time, any number of times.
set -u
. "$(dirname -- "$0")/lib/common.sh"

usage() {
  cat <<'TEXT'
grade.sh [--mode local|k8s] [--dir D] [--json FILE] [--only ID,ID...] [--no-hints] [--list]
  --mode M      as the lab that is there
  --json FILE   where the results go as JSON (grade.json)
  --only IDS    these checks alone
  --list        the checks and their points
Exit codes: 0 passed (80 points and every check with a star), 1 not yet,
            2 the lab is not up or broken (setup.sh --reset), 3 the witness was tampered with
TEXT
}

mode=
lab_dir=${LAB_DIR:-$lab_root/.pgglide/lab}
json=grade.json
only=
hints=--hints
list=
while [ $# -gt 0 ]; do
  case $1 in
    --mode) need_value "$@"; mode=$2; shift ;;
    --dir) need_value "$@"; lab_dir=$(absolute "$2"); shift ;;
    --json) need_value "$@"; json=$2; shift ;;
    --only) need_value "$@"; only=$2; shift ;;
    --no-hints) hints=--no-hints ;;
    --list) list=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; refuse "Unknown: $1" ;;
  esac
  shift
done

require_mode "$mode"
set -- "$hints"
[ -z "$only" ] || set -- "$@" --only "$only"
if [ -n "$list" ]; then
  labctl grade "$@" --list
  exit
fi

# What lies there is not this grading's: whoever made it, it goes first. Nobody waits for a grading that cannot be kept.
json=$(absolute "$json")
[ ! -d "$json" ] || refuse "$json is a folder: --json takes a file"
(rm -f -- "$json" && mkdir -p -- "$(dirname -- "$json")" && : >"$json" && rm -f -- "$json") 2>/dev/null ||
  refuse "$json cannot be written: name another file with --json"

# Whatever happens, there is a total and a file.
finish() {
  status=$?
  trap - EXIT INT TERM
  if [ ! -f "$json" ]; then
    echo 'TOTAL  0/100   no grading'
    printf '{"score":0,"max_score":100,"passed":false,"seed_id":null,"grader_sha256":null,"tampering":[],"missing_stars":[],"tests":[]}\n' >"$json"
  else
    echo "results: $json"
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
labctl grade --json "$json" "$@"
