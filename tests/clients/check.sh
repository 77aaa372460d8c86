#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Asks a real server with clients that others made: Triton's and KServe's Python clients, grpcurl,
# buf curl and grpc_health_probe. Skipped, with a message, where the network does not have them.
#
#   tests/clients/check.sh [FOLDER OF THE PROGRAMS]      (default: build/dev/bin)
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

readonly programs=${1:-build/dev/bin}
readonly tools=build/tools/clients

status=0
tests/clients/install_clients.sh || status=$?
if [[ $status -eq 3 ]]; then
  printf 'SKIPPED: the clients of others could not be had; the lines above say why\n'
  exit 0
fi
[[ $status -eq 0 ]] || exit "$status"
"$tools/python/bin/python" -B tests/clients/clients_test.py "$programs" "$tools"
