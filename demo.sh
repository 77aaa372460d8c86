#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From nothing to certified answers: installs, builds, trains the demo model, serves it on loopback,
# classifies handwritten digits over gRPC, and stops what it started. The second run takes seconds.
#
#   ./demo.sh
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
# Clones in different folders share what ccache has compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

readonly bin=build/release/bin
readonly logs=build/demo
readonly model=models/mnist08/1
readonly steps=5
step=0
server=

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' dim=$'\e[2m' blue=$'\e[1;34m' red=$'\e[1;31m' plain=$'\e[0m' clear=$'\r\e[K'
else
  bold='' dim='' blue='' red='' plain='' clear=''
fi

heading() {
  step=$((step + 1))
  printf '\n%s[%d/%d]%s %s%s%s\n' "$blue" "$step" "$steps" "$plain" "$bold" "$1" "$plain"
}

note() {
  printf '      %s%s%s\n' "$dim" "$1" "$plain"
}

# Shows a command as a user would type it, then runs it.
show() {
  printf '      %s$ %s%s\n\n' "$dim" "${*##*/bin/}" "$plain"
  "$@"
}

fail() {
  printf '\n%sdemo.sh: %s%s\n' "$red" "$1" "$plain" >&2
  exit 1
}

stop_server() {
  [[ -n $server ]] || return 0
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

# Runs a command with its output in a log, its progress on the terminal, and the log's end on the
# terminal if it fails. The command stays in the foreground, so that Ctrl-C reaches it.
quietly() {
  local name=$1 log=$logs/$1.log watcher='' status=0
  shift
  if [[ -n $clear ]]; then
    watch_progress "$name" "$log" &
    watcher=$!
  fi
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [[ -n $watcher ]]; then
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    printf '%s' "$clear"
  fi
  if [[ $status -ne 0 ]]; then
    tail -n 40 "$log" >&2
    fail "$name failed; the whole log is $log"
  fi
}

# Shows the last [done/all] that ninja wrote to a log, until killed.
watch_progress() {
  local progress
  while sleep 0.3; do
    progress=$(grep -o '^\[[0-9]*/[0-9]*\]' "$2" 2>/dev/null | tail -n 1 || true)
    printf '%s      %s%s %s%s' "$clear" "$dim" "$1" "$progress" "$plain"
  done
}

# Prints what http://$1$2 answers. Bash's own sockets, so that the demo needs no curl.
http_get() {
  local connection line
  exec {connection}<>"/dev/tcp/${1%:*}/${1##*:}" || return 1
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$1" >&"$connection"
  while IFS= read -r line <&"$connection" && [[ $line != $'\r' ]]; do :; done
  cat <&"$connection"
  exec {connection}>&-
}

# Starts the server; sets `grpc` and `http` to the addresses that it chose.
start_server() {
  local log=$logs/server.log line='' waited
  : >"$log"  # there before the first look at it
  "$bin/lipserve-server" --models models --grpc 127.0.0.1:0 --http 127.0.0.1:0 \
    >"$log" 2>&1 </dev/null &
  server=$!
  for ((waited = 0; waited < 300; ++waited)); do
    line=$(grep -m 1 'serving: grpc=' "$log" || true)
    [[ -z $line ]] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  if [[ -z $line ]]; then
    tail -n 20 "$log" >&2
    fail 'the server did not start; its last lines are above'
  fi
  grpc=${line##*grpc=} grpc=${grpc%% *}
  http=${line##*http=} http=${http%% *}
}

trap stop_server EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

printf '%slipserve%s: classifiers whose every answer carries a proof\n' "$bold" "$plain"
mkdir -p "$logs"

heading 'Install what is missing, build the programs'
docker/install_packages.sh build
quietly configure cmake --preset release
quietly build cmake --build --preset release \
  --target lipserve-train lipserve-server lipserve-client
note "lipserve-train, lipserve-server, lipserve-client in $bin/"

heading 'Train and freeze: zeros against eights, a 1-Lipschitz network'
if [[ -f $model/model.lip ]]; then
  note "$model/model.lip is there already: measured again; remove $model to train again"
  show "$bin/lipserve-train" evaluate --model "$model" --data data/mnist
else
  resume=()
  [[ ! -f $model/checkpoint.lip ]] || resume=(--resume)
  show "$bin/lipserve-train" train --recipe trainer/recipes/mnist08.textproto \
    --data data/mnist --out "$model" "${resume[@]}"
fi

heading 'Serve it'
start_server
note "gRPC on $grpc, HTTP on $http"
"$bin/lipserve-client" health --server "$grpc" | sed 's/^/      /'

heading 'Classify digits that it has never seen'
note 'radius: no change of the image up to this L2 distance can change the class; it is proven.'
note '255 px is one pixel from black to white. Asked: is it certified at 402.9 px, L2 1.58 in [0, 1]?'
show "$bin/lipserve-client" classify --server "$grpc" --model mnist08 \
  --input 'data/mnist/t10k-images-idx3-ubyte.gz[0:100]' \
  --labels data/mnist/t10k-labels-idx1-ubyte.gz --only-labels 0,8 --limit 9 --draw --epsilon 402.9

heading 'Scrape the metrics'
note "http://$http/metrics, an excerpt"
http_get "$http" /metrics >"$logs/metrics.txt" || fail "http://$http/metrics did not answer"
grep -E '^lipserve_(requests|certified|decided)_total|^lipserve_(model_loaded|build_info)' \
  "$logs/metrics.txt" | sed 's/^/      /'

stop_server
cat <<END

${bold}Go on with${plain}
  $bin/lipserve-server --models models
  $bin/lipserve-client classify --model mnist08 --draw --input 'data/mnist/t10k-images-idx3-ubyte.gz[3]'
  $bin/lipserve-client describe --model mnist08
  $bin/lipserve-train train --help
END
