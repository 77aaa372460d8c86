#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs two images that buildah knows as `docker run --read-only --cap-drop ALL` would, and checks
# what users, load balancers and Prometheus need of them. Needs root, buildah and util-linux.
#
#   docker/check_images.sh [SERVER [TRAINER]]    (default: localhost/lipserve localhost/lipserve-train)
#
# Each entry point is process 1 of its own process namespace, as the image's user, on a root file
# system that is mounted read only, in a network namespace that has nothing but loopback.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

server_image=${1:-localhost/lipserve}
trainer_image=${2:-localhost/lipserve-train}

fail() {
  printf 'check_images: %s\n' "$@" >&2
  exit 1
}

say() {
  printf '== %s\n' "$1"
}

# The words of a list in the configuration of an image, one a line.
configured() {
  buildah inspect --type image --format "{{range .Docker.Config.$2}}{{println .}}{{end}}" "$1" |
    sed '/^$/d'
}

# Mounts a copy of an image read only at $2.
mount_image() {
  local container root
  container=$(buildah from --pull-never "$1")
  containers+=("$container")
  root=$(buildah mount "$container")
  mkdir -p "$2"
  mount --bind "$root" "$2"
  mount -o remount,bind,ro "$2"
  mount --rbind /dev "$2/dev"
}

# inside ROOT COMMAND...: runs a command in a mounted image as its user, as process 1.
inside() {
  local root=$1
  shift
  unshare --pid --fork --kill-child --mount-proc="$root/proc" \
    setpriv --no-new-privs \
    chroot --userspec=10001:10001 "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"
}

check_user() {
  local user
  user=$(buildah inspect --type image --format '{{.Docker.Config.User}}' "$1")
  [[ $user == 10001 ]] || fail "$1: expected USER 10001, got '$user'"
  ! inside "$2" touch /written /usr/local/bin/written 2>/dev/null || fail "$1: could write to its root"
}

# The libraries that the programs in /usr/local/bin load are all there.
check_libraries() {
  local missing
  # shellcheck disable=SC2016  # for the shell inside
  missing=$(inside "$2" sh -c 'for p in /usr/local/bin/*; do ldd "$p" 2>/dev/null; done' |
    grep 'not found' || true)
  [[ -z $missing ]] || fail "$1: $missing"
}

# Each model of the image has its files, and the image's own checker proves it and its answers.
check_models() {
  local folder file
  for folder in "$server_root"/{models,more-models}/*/1; do
    for file in model.lip metrics.json report.html certificate.json; do
      [[ -s $folder/$file ]] || fail "$server_image: expected ${folder#"$server_root"}/$file"
    done
    folder=${folder#"$server_root"}
    inside "$server_root" lipserve-verify --model "$folder" --certificate "$folder/certificate.json" ||
      fail "$server_image: $folder is not proven"
  done
}

start_server() {
  local entrypoint tries=0
  mapfile -t entrypoint < <(configured "$server_image" Entrypoint)
  inside "$server_root" "${entrypoint[@]}" &
  server=$!
  until inside "$server_root" "${healthcheck[@]}" >/dev/null 2>&1; do
    ((++tries < 100)) || fail 'the server did not become healthy in time'
    kill -0 "$server" 2>/dev/null || fail 'the server ended early'
    sleep 0.2
  done
}

# SIGTERM to process 1, the last of its line, which must drain and end with status 0.
stop_server() {
  local status=0 process=$server child
  while child=$(pgrep -P "$process"); do
    process=$child
  done
  kill -TERM "$process"
  wait "$server" || status=$?
  [[ $status -eq 0 ]] || fail "the server ended with status $status on SIGTERM"
}

ask_server() {
  local program page version
  version=$(buildah inspect --type image --format \
    '{{index .Docker.Config.Labels "org.opencontainers.image.version"}}' "$server_image")
  for program in server client verify; do
    [[ $(inside "$server_root" "lipserve-$program" --version) == "lipserve-$program $version" ]] ||
      fail "lipserve-$program: expected the version of the image's label, '$version'"
  done
  inside "$server_root" lipserve-client classify --server 127.0.0.1:8001 --model mnist08 \
    --model-version "$1" --input '/mnt/t10k-images-idx3-ubyte.gz[3]'
  exec 3<>/dev/tcp/127.0.0.1/8002
  printf 'GET /metrics HTTP/1.0\r\nHost: lipserve\r\n\r\n' >&3
  page=$(cat <&3)
  exec 3>&-
  grep -q '^lipserve_certified_total' <<<"$page" || fail "/metrics: expected lipserve_certified_total"
}

check_server() {
  say "$server_image: health, user, libraries, models, class, metrics, read-only root, end on SIGTERM"
  mount_image "$server_image" "$server_root"
  mount --bind data/mnist "$server_root/mnt"
  mapfile -t healthcheck < <(configured "$server_image" Healthcheck.Test | sed 1d)
  check_user "$server_image" "$server_root"
  check_libraries "$server_image" "$server_root"
  check_models
  start_server
  ask_server 1
  stop_server
}

# Twice from nothing but two mounted folders; the server then serves what was trained.
check_trainer() {
  local entrypoint command round
  say "$trainer_image: trains versions 1 and 2 into a mounted folder; $server_image serves them"
  mount_image "$trainer_image" "$trainer_root"
  check_user "$trainer_image" "$trainer_root"
  check_libraries "$trainer_image" "$trainer_root"
  mkdir "$scratch/models"
  chown 10001:10001 "$scratch/models"
  mount --bind data/mnist "$trainer_root/data"
  mount --bind "$scratch/models" "$trainer_root/models"
  mapfile -t entrypoint < <(configured "$trainer_image" Entrypoint)
  mapfile -t command < <(configured "$trainer_image" Cmd)
  for round in 1 2; do
    inside "$trainer_root" "${entrypoint[@]}" "${command[@]}" | tail -n 1
    [[ -s $scratch/models/mnist08/$round/model.lip ]] || fail "no version $round was written"
  done
  mount --bind "$scratch/models" "$server_root/models"
  start_server
  ask_server 2
  stop_server
}

check() {
  server_root=$scratch/server trainer_root=$scratch/trainer
  ip link set lo up
  check_server
  check_trainer
}

remove_containers() {
  umount -R "$scratch/server" "$scratch/trainer" 2>/dev/null || true
  [[ ${#containers[@]} -eq 0 ]] || buildah rm "${containers[@]}" >/dev/null
}

if [[ ${CHECK_IMAGES_SCRATCH:-} == '' ]]; then
  [[ $(id -u) -eq 0 ]] || fail 'needs root, for namespaces and mounts; start it with sudo'
  for tool in buildah unshare setpriv ip; do
    command -v "$tool" >/dev/null ||
      fail "needs $tool" '  apt-get install buildah util-linux iproute2'
  done
  CHECK_IMAGES_SCRATCH=$(mktemp -d)
  export CHECK_IMAGES_SCRATCH
  trap 'rm -rf "$CHECK_IMAGES_SCRATCH"' EXIT
  # Mounts and ports of its own, which go away with it.
  unshare --mount --net --propagation private "$0" "$server_image" "$trainer_image"
  for image in "$server_image" "$trainer_image"; do
    say "$image works: $(buildah images --format '{{.Size}}' "$image")"
  done
else
  scratch=$CHECK_IMAGES_SCRATCH
  containers=()
  trap remove_containers EXIT
  check
fi
