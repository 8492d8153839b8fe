# Sourced by the steps with pgglide, where the lab runs as pods: pgglide is a Job there, and its commands run in the Job's pod.

pgglide() { node "$lab/../bin/kubectl-pgglide.js" --context "$context" --namespace "$namespace" "$@"; }
# $1: render, apply or logs; $2: which command the Job runs.
job() { (cd "$work" && node "$lab/../bin/pgglide.js" k8s "$1" --run "$2" --image "$image"); }

configure() {
  # No password in it: it names the Secret. The proxies are put in front of the database when they are needed.
  cat >"$work/pgglide.yaml" <<YAML
migration: lab
kubernetes: { context: "$context", namespace: "$namespace" }
source: { host: pg-source, user: postgres, database: shop, sslmode: disable, passwordFrom: { secretKeyRef: { name: postgres, key: password } } }
target: { host: pg-target, user: postgres, database: shop, sslmode: disable, passwordFrom: { secretKeyRef: { name: postgres, key: password } } }
copy: { jobs: 2 }
traffic:
  driver: kubernetes
  kubernetes: { configMap: shop-db, hostKey: PGHOST, portKey: PGPORT, workloads: [deployment/shop], image: "$image" }
YAML
}

check() {
  job apply check
  job logs check
}

# The Job stays while the target follows, and its pod is where the other commands run.
sync() {
  # 7: it runs already, and goes on where it was.
  job apply sync || [[ $? == 7 ]]
  wait_for_pod
  pgglide wait --for phase=following
}

# A pod that was deleted or has failed is replaced by the Job, in its own time.
wait_for_pod() {
  local tries
  for ((tries = 0; tries < 240; tries++)); do
    [[ -z $(kubectl get pods -l job-name=pgglide-lab-sync --field-selector=status.phase=Running -o name) ]] || return 0
    sleep 0.5
  done
  echo 'No pod of the migration runs. See kubectl describe job pgglide-lab-sync' >&2
  exit 1
}

put_proxies_in() { echo 'pgglide puts its proxies in by itself, at the rehearsal'; }
# They stay until `pgglide complete`, which takes them out and the way back with them: for as long as one may want to return.
take_proxies_out() { :; }
