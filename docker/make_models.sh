#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a model repository of recipes for digits 0 and 8. Each MODELS/RECIPE/1 gets model.lip,
# metrics.json, report.html, and certificate.json: what a server answered to the first 100 such test
# images. lipserve-verify must prove all of it in exact arithmetic, or this script fails.
#
#   docker/make_models.sh PROGRAMS MODELS RECIPE...
#   docker/make_models.sh build/release/bin models mnist08 mnist08_robust
set -euo pipefail

fail() {
  printf 'make_models: %s\n' "$@" >&2
  exit 1
}

[[ $# -ge 3 ]] || fail 'expected PROGRAMS MODELS RECIPE...'
programs=$(realpath -- "$1")
models=$(realpath -m -- "$2")
shift 2
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

for recipe in "$@"; do
  "$programs/lipserve-train" train --recipe "trainer/recipes/$recipe.textproto" \
    --data data/mnist --out "$models/$recipe/1"
done

scratch=$(mktemp -d)
: >"$scratch/server.log" # there before the first look at it
"$programs/lipserve-server" --models "$models" --grpc 127.0.0.1:0 --http 127.0.0.1:0 \
  >"$scratch/server.log" 2>&1 </dev/null &
server=$!
trap 'kill -TERM "$server" 2>/dev/null || true; wait "$server" || true; rm -rf "$scratch"' EXIT
address=
for ((waited = 0; waited < 1200; ++waited)); do
  address=$(sed -n 's/.*serving: grpc=\([^ ]*\).*/\1/p' "$scratch/server.log")
  [[ -z $address ]] || break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
[[ -n $address ]] || fail 'the server did not start; it said:' "$(cat "$scratch/server.log")"

for recipe in "$@"; do
  folder=$models/$recipe/1
  "$programs/lipserve-client" classify --server "$address" --model "$recipe" \
    --labels data/mnist/t10k-labels-idx1-ubyte.gz --only-labels 0,8 --limit 100 \
    --certificate "$folder/certificate.json" data/mnist/t10k-images-idx3-ubyte.gz >/dev/null ||
    fail "$recipe: lipserve-client, see above"
  "$programs/lipserve-verify" --model "$folder" --certificate "$folder/certificate.json" ||
    fail "$recipe: lipserve-verify does not accept $folder"
done
