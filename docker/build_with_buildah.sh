#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the image of docker/Dockerfile without a Docker daemon and without a registry, then runs
# it as its own user and checks that it answers. Needs root on Debian 12, buildah and debootstrap:
#
#   apt-get install buildah debootstrap
#   docker/build_with_buildah.sh [NAME]          (default: localhost/lipserve)
#
# BASE=localhost/other:tag takes another base image than one made by debootstrap.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly image=${1:-localhost/lipserve}
readonly default_base=localhost/debian:bookworm-slim
readonly base=${BASE:-$default_base}
scratch=$(mktemp -d)
container=

cleanup() {
  [[ -z $container ]] || buildah rm "$container" >/dev/null
  rm -rf "$scratch"
}

fail() {
  printf 'build_with_buildah: %s\n' "$@" >&2
  exit 1
}

say() {
  printf '== %s\n' "$1"
}

require_tools() {
  local tool
  [[ $(id -u) -eq 0 ]] || fail 'needs root, for chroot and network namespaces; start it with sudo'
  for tool in buildah debootstrap unshare ip; do
    command -v "$tool" >/dev/null ||
      fail "needs $tool" '  apt-get install buildah debootstrap util-linux iproute2'
  done
}

# A minimal Debian 12 from the host's package mirror.
make_base() {
  say "base image $base, by debootstrap"
  debootstrap --variant=minbase bookworm "$scratch/root" >"$scratch/debootstrap.log" ||
    { tail -n 20 "$scratch/debootstrap.log" >&2 && fail 'debootstrap failed'; }
  rm -rf "$scratch"/root/var/{cache/apt/archives/*.deb,lib/apt/lists/*}
  local new
  new=$(buildah from scratch)
  buildah add --quiet "$new" "$scratch/root" / >/dev/null
  buildah config --cmd bash "$new"
  buildah commit --quiet --rm "$new" "$base" >/dev/null
  rm -rf "$scratch/root"
}

build_image() {
  say "image $image"
  # The host's way to its package mirror holds inside too: sources and proxies, not kept in the image.
  local volumes=()
  [[ ! -f /etc/apt/sources.list.d/debian.sources ]] ||
    volumes+=(--volume /etc/apt/sources.list.d/debian.sources:/etc/apt/sources.list.d/debian.sources:ro)
  apt-config dump | grep -E '^Acquire::(https?::|Check-)' >"$scratch/99host" || true
  volumes+=(--volume "$scratch/99host:/etc/apt/apt.conf.d/99host:ro")
  buildah build --isolation chroot --format docker --layers \
    --build-arg "BASE=$base" "${volumes[@]}" \
    --file docker/Dockerfile --tag "$image" .
}

# Runs a command in the container as the image's user.
in_container() {
  buildah run --isolation chroot "$container" -- "$@"
}

# Starts the image's entry point and asks it what a user, a load balancer and Prometheus would.
# Runs in a network namespace of its own, so that the ports are free.
check_container() {
  ip link set lo up
  local entrypoint server status=0
  mapfile -t entrypoint < <(buildah inspect --format \
    '{{range .Docker.Config.Entrypoint}}{{println .}}{{end}}' "$container" | sed '/^$/d')
  # buildah does not pass signals on, so the server leaves its process id where `kill` finds it.
  # shellcheck disable=SC2016  # for the shell inside
  in_container sh -c 'echo $$ >/tmp/server.pid && exec "$@"' sh "${entrypoint[@]}" &
  server=$!
  (ask_container) || status=$?
  # shellcheck disable=SC2016
  in_container sh -c 'kill -TERM "$(cat /tmp/server.pid)"'
  wait "$server" || fail "the server ended with status $? on SIGTERM"
  return "$status"
}

ask_container() {
  local tries=0
  until in_container lipserve-client health --server 127.0.0.1:8001 2>/dev/null; do
    ((++tries < 50)) || fail 'the server did not become healthy in time'
    sleep 0.2
  done
  local program
  for program in train server client verify; do
    in_container "lipserve-$program" --version || fail "lipserve-$program does not run"
  done
  [[ $(in_container id -u) -ne 0 ]] || fail 'the image runs as root'
  buildah copy --quiet "$container" data/mnist/t10k-images-idx3-ubyte.gz /tmp/ >/dev/null ||
    return 1
  in_container lipserve-client classify --server 127.0.0.1:8001 --model mnist08 \
    --input '/tmp/t10k-images-idx3-ubyte.gz[3]' || return 1
  exec 3<>/dev/tcp/127.0.0.1/8002
  printf 'GET /metrics HTTP/1.0\r\nHost: lipserve\r\n\r\n' >&3
  grep -m 3 '^lipserve_' <&3
}

main() {
  require_tools
  trap cleanup EXIT
  buildah inspect --type image "$base" >/dev/null 2>&1 || make_base
  build_image
  say 'check: health, programs, user, class, metrics, clean end'
  container=$(buildah from --pull-never "$image")
  export container
  export -f check_container ask_container in_container fail
  unshare --net bash -euo pipefail -c check_container
  say "$image works; push it with: buildah push $image docker://..."
}

main
