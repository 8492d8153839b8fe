#!/usr/bin/env bash
# The whole migration with pgglide, step by step. Each step may be run alone, and again.
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd)
for step in 01-check 02-proxy 03-sync 04-verify 05-cutover 06-report; do
  echo "== $step"
  "$here/$step.sh"
done
