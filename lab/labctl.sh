#!/bin/sh
# The lab's tool, from any folder. The lab is in $LAB_DIR, ./.pgglide/lab of the checkout when not set.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
: "${LAB_DIR:=$root/.pgglide/lab}"
export LAB_DIR
tsx=$root/node_modules/tsx/dist/loader.mjs
[ -f "$tsx" ] || { echo "Node packages are missing: run npm ci in $root" >&2; exit 2; }
exec node --max-old-space-size=3072 --import "file://$tsx" "$root/lab/labctl/main.ts" "$@"
