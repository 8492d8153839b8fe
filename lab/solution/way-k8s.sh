# Sourced by the steps with pgglide, where the lab runs as pods.

pgglide() { kubectl exec deployment/pgglide -c tool -- pgglide "$@"; }

configure() {
  sed "s|\${IMAGE}|$image|" "$lab/solution/k8s/pgglide.yaml" | kubectl apply -f - >/dev/null
  kubectl rollout status deployment/pgglide --timeout=120s
}

start_proxy() {
  kubectl scale deployment/pgglide --replicas=1 >/dev/null
  kubectl rollout status deployment/pgglide --timeout=120s
}
proxy_address() { echo pgglide-proxy:5432; }
target_address() { echo pg-target:5432; }
# Nothing goes through it any more; it stays, for the commands of the same pod.
stop_proxy() { :; }
