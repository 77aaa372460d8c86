#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts what check.sh needs into build/tools/kubernetes: helm and kubeconform, built from their Go
# modules (minutes at the first time, seconds while Go's cache is there), the schemas of Kubernetes
# from the Python package kubernetes-validate, and those of KServe's and the Prometheus operator's
# resources from their Go modules. Needs Go 1.24 or later, pip, and Debian's python3-yaml.
#
#   docker/kubernetes/install_tools.sh
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

readonly HELM=helm.sh/helm/v3@v3.18.4
readonly KUBECONFORM=github.com/yannh/kubeconform@v0.6.7
readonly KSERVE=github.com/kserve/kserve@v0.15.2
readonly PROMETHEUS_OPERATOR=github.com/prometheus-operator/prometheus-operator@v0.76.2
readonly KUBERNETES_VALIDATE=kubernetes-validate==1.34.0
readonly tools=$PWD/build/tools/kubernetes
readonly versions="$HELM $KUBECONFORM $KSERVE $PROMETHEUS_OPERATOR $KUBERNETES_VALIDATE"

fail() {
  printf 'install_tools: %s\n' "$@" >&2
  exit 1
}

# module_folder MODULE@VERSION: downloads it and prints where it lies.
module_folder() {
  (cd / && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

[[ $(cat "$tools/versions" 2>/dev/null) != "$versions" ]] || exit 0
[[ -x $(command -v go || true) ]] || PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || fail 'needs Go 1.24 or later, to build helm and kubeconform'
/usr/bin/python3 -c 'import yaml' || fail 'needs PyYAML: apt-get install python3-yaml'
mkdir -p "$tools"

(cd / && GOFLAGS=-buildvcs=false GOBIN=$tools go install "${KUBECONFORM/@//cmd/kubeconform@}")
(cd / && GOFLAGS=-buildvcs=false GOBIN=$tools go install "${HELM/@//cmd/helm@}")

rm -rf "$tools/schemas"
kserve=$(module_folder "$KSERVE")
operator=$(module_folder "$PROMETHEUS_OPERATOR")
/usr/bin/python3 docker/kubernetes/crd_schemas.py "$tools/schemas/custom" \
  "$kserve"/config/crd/full/serving.kserve.io_{clusterservingruntimes,inferenceservices}.yaml \
  "$operator"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml
python3 -m pip download --quiet --no-deps --dest "$tools/schemas" "$KUBERNETES_VALIDATE"
/usr/bin/python3 -m zipfile -e "$tools"/schemas/kubernetes_validate-*.whl "$tools/schemas"
# The package's schemas call themselves https://kubernetes.io/..., where there are none.
# shellcheck disable=SC2016  # a literal $id
find "$tools/schemas/kubernetes_validate" -path '*-local-strict/*.json' \
  -exec sed -i 's|"/api/_definitions.json#|"_definitions.json#|g; s|"$id"|"x-id"|' {} +
rm "$tools"/schemas/kubernetes_validate-*.whl
printf '%s' "$versions" >"$tools/versions"
