#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks chart and KServe manifests without a cluster: helm lint, and every resource that the chart
# renders, for each of several ways to use it, against the schemas of Kubernetes, KServe and the
# Prometheus operator, with unknown fields refused.
#
#   docker/kubernetes/check.sh      (docker/kubernetes/install_tools.sh comes first)
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

readonly tools=build/tools/kubernetes
readonly chart=docker/kubernetes/lipserve
readonly schemas=$tools/schemas
# The oldest that the chart allows and the newest that there is a schema for.
readonly kubernetes_versions=(1.29.0 1.33.0)

fail() {
  printf 'check: %s\n' "$@" >&2
  exit 1
}

# kubeconform VERSION: validates what comes on stdin.
validate() {
  "$tools/kubeconform" -strict -summary -kubernetes-version "$1" \
    -schema-location "$schemas/kubernetes_validate/kubernetes-json-schema/v$1-local-strict/{{.ResourceKind}}{{.KindSuffix}}.json" \
    -schema-location "$schemas/custom/{{.Group}}_{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
}

# helm says on stderr that rules/ is a link; nothing else may be said there.
helm() {
  "$tools/helm" "$@" 2> >(grep -v 'found symbolic link' >&2)
}

# renders NAME RESOURCES FLAGS...: the chart with these flags is valid and has so many resources.
renders() {
  local name=$1 expected=$2 version rendered
  shift 2
  for version in "${kubernetes_versions[@]}"; do
    rendered=$(helm template release "$chart" --namespace test --kube-version "$version" "$@")
    printf '%-32s Kubernetes %s: ' "$name" "$version"
    validate "$version" <<<"$rendered"
    [[ $(grep -c '^kind:' <<<"$rendered") -eq $expected ]] ||
      fail "$name: expected $expected resources, got:" "$(grep '^kind:' <<<"$rendered")"
  done
}

# refuses TEXT FLAGS...: the chart cannot be rendered with these flags, and says TEXT.
refuses() {
  local text=$1 said
  shift
  if said=$(helm template release "$chart" --kube-version 1.33.0 "$@" 2>&1); then
    fail "expected the chart to refuse $*"
  fi
  grep -q -- "$text" <<<"$said" || fail "$*: expected '$text', got: $said"
  printf 'refused as it should be: %s\n' "$*"
}

[[ -x $tools/helm && -x $tools/kubeconform && -d $schemas ]] ||
  fail "needs helm, kubeconform and schemas: run docker/kubernetes/install_tools.sh first"

# What the chart installs by default is what this tree builds.
version=$(sed -n 's/^appVersion: "\(.*\)"$/\1/p' "$chart/Chart.yaml")
names_version() {
  grep -q -- "$2" "$1" || fail "$1: expected '$2', as the chart's appVersion"
}
names_version CMakeLists.txt "project(lipserve VERSION $version "
names_version docker/Dockerfile "ARG VERSION=$version"
names_version docker/kubernetes/kserve/clusterservingruntime.yaml "image: lipserve:$version"

helm lint --strict --kube-version 1.33.0 "$chart"
# Deployment, 2 services, budget, policy, test pod.
renders 'defaults' 6
renders 'own volume' 7 --set models.source=claim
renders 'existing volume, retraining' 8 --set models.source=claim --set models.claim.name=m \
  --set retrain.enabled=true --set retrain.dataClaim=data --set 'retrain.args={--require,.9@1.58}'
renders 'models from an image' 6 --set models.source=initImage \
  --set models.initImage.repository=models --set-string models.initImage.tag=7
renders 'operator, autoscaling' 9 --set monitoring.serviceMonitor=true --set monitoring.rules=true \
  --set monitoring.labels.release=prometheus --set autoscaling.enabled=true
renders 'least' 4 --set networkPolicy.enabled=false --set podDisruptionBudget.enabled=false
refuses 'models.source claim' --set retrain.enabled=true --set retrain.dataClaim=data
refuses 'retrain.dataClaim' --set models.source=claim --set retrain.enabled=true
refuses 'additional properties\|Additional property' --set replica=3
refuses 'initImage' --set models.source=initImage

for manifest in docker/kubernetes/kserve/*.yaml; do
  printf '%-32s ' "$(basename "$manifest")"
  validate 1.33.0 <"$manifest"
done
