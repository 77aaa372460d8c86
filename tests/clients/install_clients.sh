#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts the clients that check.sh runs into build/tools/clients, each as its makers publish it: Triton's
# and KServe's Python clients from PyPI in an environment of their own, grpcurl and grpc_health_probe built from
# their Go modules, buf from npm. Minutes at the first time, nothing once they are there. Needs
# Python 3.11 or later with venv, Go 1.24 or later, and npm.
#
# Exit codes: 0 they are there, 3 the network does not have them, 1 anything else.
#
#   tests/clients/install_clients.sh
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

readonly GRPCURL=github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
readonly HEALTH_PROBE=github.com/grpc-ecosystem/grpc-health-probe@v0.4.40
readonly BUF=@bufbuild/buf@1.50.0
readonly tools=$PWD/build/tools/clients
readonly requirements=tests/clients/requirements.txt
versions="$GRPCURL $HEALTH_PROBE $BUF $(sha256sum "$requirements")"
readonly versions

[[ $(cat "$tools/versions" 2>/dev/null) != "$versions" ]] || exit 0
[[ -x $(command -v go || true) ]] || PATH=$PATH:/usr/local/go/bin
for program in python3 go npm; do
  if ! command -v "$program" >/dev/null; then
    printf 'install_clients: needs %s, which is not here\n' "$program" >&2
    exit 3
  fi
done
mkdir -p "$tools"

# fetch WHAT COMMAND...: runs COMMAND, which gets WHAT from the network.
fetch() {
  local what=$1
  shift
  if ! "$@"; then
    printf 'install_clients: could not get %s; is the network there?\n' "$what" >&2
    exit 3
  fi
}

python3 -m venv --clear "$tools/python"
fetch "Triton's and KServe's clients" "$tools/python/bin/pip" install --quiet --disable-pip-version-check \
  --requirement "$requirements"
for module in "$GRPCURL" "$HEALTH_PROBE"; do
  fetch "$module" env -C / GOFLAGS=-buildvcs=false CGO_ENABLED=0 GOBIN="$tools" go install "$module"
done
fetch "$BUF" npm install --silent --no-audit --no-fund --prefix "$tools/buf" "$BUF"
printf '%s' "$versions" >"$tools/versions"
