#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages of one or more groups of packages.txt, as root or with sudo.
# Does nothing, in well under a second, if all are there already.
#
#   docker/install_packages.sh [build|runtime|trainer|lint|deploy ...]      (default: build)
set -euo pipefail

readonly list="${BASH_SOURCE[0]%/*}/packages.txt"

fail() {
  printf 'install_packages: %s\n' "$@" >&2
  exit 1
}

# Prints the packages of group $1, one a line.
packages_of() {
  awk -v wanted="[$1]" '
    { sub(/#.*/, ""); gsub(/[[:space:]]/, "") }
    /^\[/ { inside = ($0 == wanted); found = found || inside; next }
    inside && NF { print }
    END { exit !found }' "$list" ||
    fail "packages.txt has no group '$1'; its groups are: build, runtime, trainer, lint, deploy"
}

# Prints those of its arguments that are not installed.
missing_of() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    awk '$1 == "installed" { print $2 }' || true)
  printf '%s\n' "$@" | grep -vxF -f <(printf '%s\n' "$installed") || true
}

require_debian_12() {
  local system='an unknown system'
  if [[ -r /etc/os-release ]]; then
    # shellcheck source=/dev/null
    system=$(. /etc/os-release && printf '%s' "${PRETTY_NAME:-$ID}")
    # shellcheck source=/dev/null
    if (. /etc/os-release && [[ ${ID:-} == debian && ${VERSION_ID:-} == 12 ]]); then
      return
    fi
  fi
  fail "lipserve builds on Debian 12 (bookworm); this is $system." \
    'Build the container image instead: see docker/README.md.'
}

main() {
  local groups=("${@:-build}") group wanted=() missing=() as_root=()
  require_debian_12
  for group in "${groups[@]}"; do
    local packages
    packages=$(packages_of "$group")
    mapfile -t -O "${#wanted[@]}" wanted <<<"$packages"
  done
  mapfile -t missing < <(missing_of "${wanted[@]}")
  [[ ${#missing[@]} -gt 0 ]] || return 0

  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || fail "these packages are missing and need root to install:" \
      "  apt-get install ${missing[*]}" 'Run that as root, or install sudo; then start again.'
    as_root=(sudo)
  fi
  printf 'Installing %d Debian packages: %s\n' "${#missing[@]}" "${missing[*]}"
  local log
  log=$(mktemp)
  # shellcheck disable=SC2064  # the name of this run's log, not of a later one
  trap "rm -f '$log'" EXIT
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300)
  # A failed update is not the end: the lists may be fresh enough. The install decides.
  "${apt[@]}" -q update </dev/null >"$log" 2>&1 || true
  if ! "${apt[@]}" install -q -y --no-install-recommends "${missing[@]}" </dev/null >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail 'apt-get could not install the packages above; its last lines say why.' \
      'Check the network, /etc/apt/sources.list and free disk space; then start again.'
  fi
}

main "$@"
