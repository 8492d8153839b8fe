# Sourced by the steps by hand, where the lab runs as pods: each server's own pod has psql and pg_dump.
export PGOPTIONS='-c client_min_messages=warning'
in_pod() { kubectl exec -i "$1" -- env PGOPTIONS="$PGOPTIONS" "${@:2}"; }
source_sql() { in_pod pg-source-0 psql -qAtX -v ON_ERROR_STOP=1 -U postgres shop "$@"; }
target_sql() { in_pod pg-target-0 psql -qAtX -v ON_ERROR_STOP=1 -U postgres shop "$@"; }
dump_source() { kubectl exec pg-source-0 -- pg_dump "$@" -U postgres shop; }
dump_roles() { kubectl exec pg-source-0 -- pg_dumpall --roles-only -U postgres; }
SUPERUSER=postgres

# For CREATE SUBSCRIPTION, on stdin only: an argument would be seen by everybody.
conninfo() {
  local password
  password=$(kubectl get secret postgres -o 'jsonpath={.data.password}' | base64 -d)
  printf 'host=pg-%s user=postgres dbname=shop password=%s' "$1" "$password"
}

address_of() { kubectl get service "$1" -o 'jsonpath={.spec.clusterIP}'; }
bouncer_address() { echo pgbouncer:6432; }
target_address() { echo pg-target:5432; }
# In the pod, where the image may not be written to.
bouncer=/run/pgbouncer

start_bouncer() {
  local files
  files=$(mktemp -d)
  # By address: a name would be looked up in the pause, and whoever answers late makes everybody wait.
  bouncer_ini "$(address_of pg-source)" 5432 0.0.0.0 6432 "$bouncer" >"$files/pgbouncer.ini"
  bouncer_ini "$(address_of pg-target)" 5432 0.0.0.0 6432 "$bouncer" >"$files/next.ini"
  kubectl create configmap pgbouncer --from-file="$files" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  rm -r "$files"
  sed "s|\${IMAGE}|${PGBOUNCER_IMAGE:-pgbouncer:lab}|" "$lab/solution/by-hand/pgbouncer/pgbouncer.yaml" | kubectl apply -f - >/dev/null
  kubectl rollout status deployment/pgbouncer --timeout=180s || {
    echo 'No PgBouncer. Has the cluster its image? See solution/by-hand/pgbouncer/Dockerfile' >&2
    exit 1
  }
}
stop_bouncer() {
  kubectl delete deployment/pgbouncer service/pgbouncer configmap/pgbouncer >/dev/null
}

# Runs what it reads in PgBouncer's pod.
in_bouncer() {
  cat "$lab/solution/by-hand/pgbouncer/in-pod.sh" - | kubectl exec -i deployment/pgbouncer -- bash -s
}
console() { printf 'console %q\n' "$1" | in_bouncer; }
# In one piece: a `kubectl exec` for each statement would take longer than anybody may wait.
run_pause() { in_bouncer <"$lab/solution/by-hand/pause.sh"; }
