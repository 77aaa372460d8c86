#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs exported models in onnxruntime and compares its scores with ours. Installs onnxruntime from
# PyPI into build/tools/onnx at the first time; skipped, with a message, where that cannot be had.
#
#   tests/trainer/exchange/export/check.sh [FOLDER OF THE PROGRAMS]      (default: build/dev/bin)
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../../.."

readonly programs=${1:-build/dev/bin}
readonly here=tests/trainer/exchange/export
readonly requirements=$here/requirements.txt
readonly tools=build/tools/onnx

if ! cmp --quiet "$requirements" "$tools/requirements.txt"; then
  mkdir -p "$tools"
  if ! python3 -m venv --clear "$tools/python" ||
    ! "$tools/python/bin/pip" install --quiet --disable-pip-version-check \
      --requirement "$requirements"; then
    printf 'SKIPPED: onnxruntime could not be had; the lines above say why\n'
    exit 0
  fi
  cp "$requirements" "$tools/requirements.txt"
fi
"$tools/python/bin/python" -B "$here/onnxruntime_test.py" "$programs"
