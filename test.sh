#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, builds, and runs the tests: all, or those that FILTER names.
#
#   ./test.sh [dev|release|asan|tsan] [FILTER]      (default: dev; see CMakePresets.json)
#
#   ./test.sh OperatorNorm                   tests with OperatorNorm in Suite.Name
#   ./test.sh operator_norm_test             a unit
#   ./test.sh asan 'Queue*.Refuses|Lane'     under the address sanitizer
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
# Clones in different folders share what ccache has compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

usage() {
  sed -n '4,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

preset=dev
case ${1:-} in
  dev | release | asan | tsan) preset=$1 && shift ;;
  -*) usage ;;
esac
[[ $# -le 1 ]] || usage
filter=${1:-}

packages=(build)
[[ $preset == dev || $preset == release ]] || packages+=(lint)

build() {
  docker/install_packages.sh "${packages[@]}"
  cmake --preset "$preset" --log-level=WARNING
  cmake --build --preset "$preset" "$@"
}

if [[ -z $filter ]]; then
  build
  ctest --preset "$preset" --parallel "$(nproc)"
  exit
fi

selected=$(tests/select_tests.py "$filter") || exit $?
programs=$(cut -d' ' -f1 <<<"$selected")
mapfile -t programs <<<"$programs"
build --target "${programs[@]}"
# What the test preset sets for ctest.
export OMP_WAIT_POLICY=passive
if [[ $preset == asan || $preset == tsan ]]; then export OMP_NUM_THREADS=1; fi
if [[ $preset == tsan ]]; then
  export TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1 suppressions=$PWD/.ci/tsan_suppressions.txt"
fi
while read -r program tests; do
  "build/$preset/bin/$program" --gtest_brief=1 --gtest_filter="$tests" </dev/null
done <<<"$selected"
