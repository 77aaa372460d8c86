#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the images of docker/Dockerfile without a Docker daemon and without a registry, then runs
# them (docker/check_images.sh). Needs root on Debian 12, buildah and debootstrap:
#
#   apt-get install buildah debootstrap
#   docker/build_with_buildah.sh [--test] [NAME]          (default: localhost/lipserve)
#
# The trainer's image gets the name NAME-train. --test also builds the stage that runs every test.
# BASE=localhost/other:tag takes another base image than one made by debootstrap.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

run_tests=
if [[ ${1:-} == --test ]]; then
  run_tests=yes
  shift
fi
readonly image=${1:-localhost/lipserve}
readonly default_base=localhost/debian:bookworm-slim
readonly base=${BASE:-$default_base}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

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
  for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null ||
      fail "needs $tool" '  apt-get install buildah debootstrap'
  done
}

# As in Debian's own slim images: no documentation but the licences, also of what comes later.
slim() {
  local root=$1
  cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/lintian/*
END
  find "$root/usr/share/doc" ! -type d ! -name copyright -delete
  find "$root/usr/share/doc" -type d -empty -delete
  rm -rf "$root"/usr/share/{man,info,locale,lintian}/*
  rm -rf "$root"/var/{cache/apt/archives/*.deb,cache/apt/*.bin,lib/apt/lists/*,log/*}
}

# A minimal Debian 12 from the host's package mirror.
make_base() {
  say "base image $base, by debootstrap"
  debootstrap --variant=minbase bookworm "$scratch/root" >"$scratch/debootstrap.log" ||
    { tail -n 20 "$scratch/debootstrap.log" >&2 && fail 'debootstrap failed'; }
  slim "$scratch/root"
  local new
  new=$(buildah from scratch)
  buildah add --quiet "$new" "$scratch/root" / >/dev/null
  buildah config --cmd bash "$new"
  buildah commit --quiet --rm "$new" "$base" >/dev/null
  rm -rf "$scratch/root"
}

# build_stage STAGE NAME
build_stage() {
  say "image $2"
  # The host's way to its package mirror holds inside too: sources and proxies, not kept in the image.
  local volumes=()
  [[ ! -f /etc/apt/sources.list.d/debian.sources ]] ||
    volumes+=(--volume /etc/apt/sources.list.d/debian.sources:/etc/apt/sources.list.d/debian.sources:ro)
  apt-config dump | grep -E '^Acquire::(https?::|Check-)' >"$scratch/99host" || true
  volumes+=(--volume "$scratch/99host:/etc/apt/apt.conf.d/99host:ro")
  # What the host's compiler cache has need not be compiled again.
  [[ ! -d ~/.cache/ccache ]] || volumes+=(--volume ~/.cache/ccache:/root/.cache/ccache)
  buildah build --isolation chroot --format docker --layers \
    --build-arg "BASE=$base" --build-arg "REVISION=$(git rev-parse HEAD)" "${volumes[@]}" \
    --file docker/Dockerfile --target "$1" --tag "$2" .
}

main() {
  require_tools
  buildah inspect --type image "$base" >/dev/null 2>&1 || make_base
  [[ -z $run_tests ]] || build_stage test "$image-test"
  build_stage server "$image"
  build_stage trainer "$image-train"
  docker/check_images.sh "$image" "$image-train"
  say "push them with: buildah push $image docker://..."
}

main
