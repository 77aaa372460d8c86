#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, builds, and runs every test.
#
#   ./test.sh [dev|release|asan|tsan]      (default: dev; see CMakePresets.json)
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
# Clones in different folders share what ccache has compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

preset=${1:-dev}
case $preset in
  dev | release) packages=(build) ;;
  asan | tsan) packages=(build lint) ;;
  *)
    printf 'usage: %s [dev|release|asan|tsan]\n' "$0" >&2
    exit 2
    ;;
esac

docker/install_packages.sh "${packages[@]}"
cmake --preset "$preset" --log-level=WARNING
cmake --build --preset "$preset"
ctest --preset "$preset" --parallel "$(nproc)"
