#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From training in scikit-learn to served answers that lipserve-verify accepts: the walk-through of
# trainer/IMPORTING.md. Installs scikit-learn from PyPI into build/tools.
#
#   tests/trainer/exchange/walkthrough/run.sh [PROGRAMS, default build/release/bin]
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../../.."
readonly programs=${1:-build/release/bin}
readonly here=tests/trainer/exchange/walkthrough
readonly tools=build/tools/walkthrough

if [[ ! -x $tools/bin/python ]] || ! "$tools/bin/python" -c 'import sklearn, skl2onnx' 2>/dev/null; then
  if ! python3 -m venv --clear "$tools" ||
    ! "$tools/bin/pip" install --quiet --disable-pip-version-check \
      numpy==2.3.5 scikit-learn==1.7.2 skl2onnx==1.20.0; then
    printf 'SKIPPED: scikit-learn could not be had; the lines above say why\n'
    exit 0
  fi
fi

work=$(mktemp -d)
server=
trap 'if [[ -n $server ]]; then kill "$server"; fi; rm -rf "$work"' EXIT

"$tools/bin/python" -B "$here/scikit_learn.py" data/mnist "$work"
"$programs/lipserve-convert" import "$work/model.onnx" --out "$work/models/mine/1" \
  --reference "$work/reference.npz" --input-scale unit --input-shape 1,28,28 --epsilons 0.1,0.5
: >"$work/server.log"
"$programs/lipserve-server" --models "$work/models" --grpc 127.0.0.1:0 --http 127.0.0.1:0 \
  >"$work/server.log" 2>&1 &
server=$!
for ((i = 0; i < 100; ++i)); do
  address=$(sed -n 's/^serving: grpc=\([^ ]*\) .*/\1/p' "$work/server.log")
  [[ -z $address ]] || break
  sleep .1
done
"$programs/lipserve-client" classify --server "$address" --model mine \
  --certificate "$work/answers.json" 'data/mnist/t10k-images-idx3-ubyte.gz[0:100]' | tail -n 3
"$programs/lipserve-verify" --model "$work/models/mine/1" --certificate "$work/answers.json" |
  tail -n 1
