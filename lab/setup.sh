#!/bin/sh
# Brings the lab "Zero-Downtime Migration" up, or takes it down. Safe to run again: what is there stays.
set -u
. "$(dirname -- "$0")/lib/common.sh"

usage() {
  cat <<'TEXT'
setup.sh [--mode local|k8s] [--dir D] [--rows N] [--rate N] [--reset | --down] [--yes]
  --mode M   where the lab runs; local (at first): processes on this machine, no cluster and no root needed;
             k8s: pods of the cluster that kubectl knows, such as k3s
  --dir D    the lab's folder (.pgglide/lab of the checkout, or $LAB_DIR)
  --rows N   about so many rows in the shop's database (200000)
  --rate N   requests per second (500)
  --reset    take the lab down first, and begin anew; what is not said is as it was
  --down     end every process or pod of the lab and remove its folder, or its namespace, too
  --yes      do not ask
With --mode k8s
  --context NAME    the cluster; must be said when it is not k3s, kind, minikube or another one of this machine
  --namespace NAME  made and removed by setup.sh (lab-migration)
  --image NAME      of shop and load, as the cluster knows it (pgglide:VERSION, made by deploy/Dockerfile)
Exit codes: 0 done, 1 failed, 2 usage, something is missing, or the lab must be reset
TEXT
}

mode=
lab_dir=${LAB_DIR:-$lab_root/.pgglide/lab}
rows=
rate=
action=up
context=
namespace=
image=
assume_yes=no
while [ $# -gt 0 ]; do
  case $1 in
    --mode) need_value "$@"; mode=$2; shift ;;
    --dir) need_value "$@"; lab_dir=$(absolute "$2"); shift ;;
    --rows) need_value "$@"; rows=$2; shift ;;
    --rate) need_value "$@"; rate=$2; shift ;;
    --context) need_value "$@"; context=$2; shift ;;
    --namespace) need_value "$@"; namespace=$2; shift ;;
    --image) need_value "$@"; image=$2; shift ;;
    --reset) action=reset ;;
    --down) action=down ;;
    --yes | -y) assume_yes=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; refuse "Unknown: $1" ;;
  esac
  shift
done

require_mode "$mode"
if [ "$action" != up ]; then
  if [ -e "$lab_dir" ]; then
    confirm "End the lab in $lab_dir and remove all its data?"
  elif [ "$action" = down ]; then
    exit 0
  fi
fi
exec=exec
[ "$action" != down ] || labctl down
set --
[ -z "$rows" ] || set -- "$@" --rows "$rows"
[ -z "$rate" ] || set -- "$@" --rate "$rate"
[ -z "$context" ] || set -- "$@" --context "$context"
[ -z "$namespace" ] || set -- "$@" --namespace "$namespace"
[ -z "$image" ] || set -- "$@" --image "$image"
labctl "$action" "$@"
