#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks scrape config, rules and dashboard: promtool's lint and rule tests, then a real Prometheus
# that scrapes a real server on loopback while it answers ordinary and drifted images.
#
#   docker/monitoring/check.sh [FOLDER OF THE PROGRAMS]      (default: build/dev/bin)
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

readonly programs=${1:-build/dev/bin}
readonly monitoring=docker/monitoring

if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
  printf 'check: needs Prometheus:\n  docker/install_packages.sh deploy\n' >&2
  exit 1
fi
promtool check config --lint=all --lint-fatal "$monitoring/prometheus.yml"
promtool test rules "$monitoring/rules_test.yaml"
python3 -B "$monitoring/live_check.py" --programs "$programs"
