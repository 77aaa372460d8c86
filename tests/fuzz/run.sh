#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Fuzzes every reader for a while, from the corpus, two at a time. Findings stay in build/fuzz/findings
# as files; replay one with build/fuzz/bin/TARGET_fuzz FILE. Exit code 1 if there is one.
#
#   tests/fuzz/run.sh [SECONDS per target, default 600] [TARGET...]
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
readonly seconds=${1:-600}
shift || true
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  for folder in tests/fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi

cmake --preset fuzz --log-level=WARNING
cmake --build --preset fuzz --target "${targets[@]/%/_fuzz}"

readonly work=build/fuzz
mkdir -p "$work/findings"
# New inputs go to a folder of their own; the corpus is only read.
fuzz_one() {
  local target=$1 log=$work/$1.log
  mkdir -p "$work/corpus/$target"
  if ! "$work/bin/${target}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -verbosity=0 -print_final_stats=1 -artifact_prefix="$work/findings/$target-" \
    "$work/corpus/$target" "tests/fuzz/corpus/$target" &>"$log"; then
    printf '%-14s FOUND SOMETHING, see %s\n' "$target" "$log"
    return 1
  fi
  printf '%-14s clean: %s inputs in %s s\n' "$target" \
    "$(sed -n 's/.*number_of_executed_units: //p' "$log")" "$seconds"
}

status=0
running=0
for target in "${targets[@]}"; do
  if [[ $running -eq 2 ]]; then
    wait -n || status=1
    running=1
  fi
  fuzz_one "$target" &
  running=$((running + 1))
done
while [[ $running -gt 0 ]]; do
  wait -n || status=1
  running=$((running - 1))
done
exit "$status"
