#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Trains a recipe and publishes the result as the next version of a model: MODELS/NAME/N+1 appears
# at once and complete, so a server that polls the repository picks it up.
#
#   lipserve-retrain --recipe FILE --data FOLDER --models FOLDER --model NAME
#                    [--require SHARE@EPSILON]... [--keep N] [FLAGS OF lipserve-train train]
#
#   --require .9@1.58   publish only if this share of the validation images is classified rightly
#                       and certified at this L2 radius; may be repeated
#   --keep N            then remove all but the N newest versions; 0, the default, removes none
#
# Interrupted, it goes on where it stopped when it is started again. Several may run on one
# repository. Exit codes: 0 published, 1 failed, 2 wrong usage, 3 trained but short of --require.
set -euo pipefail

recipe='' data='' models='' model='' keep=0
requirements=() flags=()

say() {
  printf 'lipserve-retrain: %s\n' "$@" >&2
}

fail() {
  local code=$1
  shift
  say "$@"
  exit "$code"
}

usage() {
  sed -n '4,/^set -euo/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
}

parse_flags() {
  while [[ $# -gt 0 ]]; do
    [[ $1 != --*=* ]] || set -- "${1%%=*}" "${1#*=}" "${@:2}"
    case $1 in
      -h | --help) usage && exit 0 ;;
      --recipe | --data | --models | --model | --keep | --require)
        [[ $# -ge 2 ]] || fail 2 "$1: expected a value, got none; see --help"
        ;;&
      --recipe) recipe=$2 && shift ;;
      --data) data=$2 && shift ;;
      --models) models=$2 && shift ;;
      --model) model=$2 && shift ;;
      --keep) keep=$2 && shift ;;
      --require) requirements+=("$2") && shift ;;
      --out | --resume | --overwrite) fail 2 "$1 is chosen by lipserve-retrain; leave it out" ;;
      *) flags+=("$1") ;;
    esac
    shift
  done
  local name
  for name in recipe data models model; do
    [[ -n ${!name} ]] || fail 2 "--$name: expected a value, got none; see --help"
  done
  [[ $model =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] ||
    fail 2 "--model: expected 1 to 128 letters, digits, '_', '-' or '.', got '$model'"
  [[ $keep =~ ^[0-9]+$ ]] || fail 2 "--keep: expected a whole number, got '$keep'"
  local requirement
  for requirement in ${requirements[@]+"${requirements[@]}"}; do
    [[ $requirement =~ ^[0-9]*\.?[0-9]+@[0-9]*\.?[0-9]+$ ]] ||
      fail 2 "--require: expected SHARE@EPSILON such as .9@1.58, got '$requirement'"
  done
  [[ -r $recipe ]] || fail 1 "--recipe: cannot read $recipe"
}

# The versions in folder $1, newest first.
versions_in() {
  find "$1" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended -regex '.*/[1-9][0-9]*' \
    -printf '%f\n' | sort -rn
}

# Trains in a hidden folder, which servers pass over. Its name depends on the experiment, so that
# another recipe does not go on from this one's checkpoint.
train() {
  work=$models/$model/.training-$({ cat -- "$recipe" && printf '%s\n' "$data" \
    ${flags[@]+"${flags[@]}"}; } | sha256sum | cut -c1-16)
  local resume=()
  [[ ! -e $work/checkpoint.lip ]] || resume=(--resume)
  lipserve-train train --recipe "$recipe" --data "$data" --out "$work" \
    ${flags[@]+"${flags[@]}"} ${resume[@]+"${resume[@]}"} ||
    fail 1 "training failed; started again, it goes on from $work"
}

# Fails unless the model in the work folder has certified accuracy ${1%@*} at epsilon ${1#*@}.
require() {
  local share=${1%@*} epsilon=${1#*@} evaluation accuracy
  evaluation=$(lipserve-train evaluate --model "$work" --data "$data" --epsilons "$epsilon" --json)
  accuracy=$(sed -n 's/.*"certified_accuracy":\[{[^]]*"accuracy":\([0-9.eE+-]*\).*/\1/p' \
    <<<"$evaluation")
  [[ -n $accuracy ]] || fail 1 "lipserve-train evaluate: no certified accuracy in: $evaluation"
  say "certified accuracy at $epsilon is $accuracy, required $share"
  if awk -v got="$accuracy" -v want="$share" 'BEGIN { exit !(got + 0 < want + 0) }'; then
    rm -rf "$work"
    fail 3 'not published'
  fi
}

# Claims the next number by mkdir, which fails if somebody else has it, then renames the work
# folder over the empty one: at no time is there a version without its files.
publish() {
  local version
  version=$(($(versions_in "$models/$model" | head -n 1) + 1))
  until mkdir "$models/$model/$version" 2>/dev/null; do
    [[ -e $models/$model/$version ]] || fail 1 "cannot write to $models/$model"
    version=$((version + 1))
  done
  mv -T -- "$work" "$models/$model/$version"
  printf '%s\n' "$models/$model/$version"
}

remove_old_versions() {
  local version
  [[ $keep -gt 0 ]] || return 0
  versions_in "$models/$model" | tail -n "+$((keep + 1))" | while read -r version; do
    # Hidden first, so that no server reads a half-removed version.
    mv -T -- "$models/$model/$version" "$models/$model/.removed-$version" &&
      rm -rf -- "$models/$model/.removed-$version"
    say "removed version $version"
  done
}

parse_flags "$@"
mkdir -p -- "$models/$model"
work=
train
for requirement in ${requirements[@]+"${requirements[@]}"}; do
  require "$requirement"
done
publish
remove_old_versions
