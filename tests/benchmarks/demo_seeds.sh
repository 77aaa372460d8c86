#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains a recipe under seeds 0 to N-1 and prints what each reaches at its last epoch, the means
# and the standard deviations: the table in trainer/README.md.
#
#   tests/benchmarks/demo_seeds.sh [RECIPE [N]]      mnist08 and 5 unless given
#
# LIPSERVE_TRAIN names the program; build/release/bin/lipserve-train unless set.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
recipe=${1:-mnist08}
seeds=${2:-5}
program=${LIPSERVE_TRAIN:-$root/build/release/bin/lipserve-train}
if [ ! -x "$program" ]; then
  echo "demo_seeds.sh: $program: not there; build it with: cmake --workflow --preset release" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seed=0
while [ "$seed" -lt "$seeds" ]; do
  "$program" train --json --recipe "$root/trainer/recipes/$recipe.textproto" \
    --data "$root/data/mnist" --out "$work/$seed" --seed "$seed" > "$work/$seed.jsonl"
  seed=$((seed + 1))
done

python3 - "$recipe" "$work"/*.jsonl << 'PYTHON'
import json
import statistics
import sys

rows = []
for path in sys.argv[2:]:
    with open(path) as lines:
        events = [json.loads(line) for line in lines]
    epochs = [event for event in events if event["event"] == "epoch"]
    model = next(event for event in events if event["event"] == "model")
    row = {
        "val_loss": epochs[-1]["val_loss"],
        "KR": epochs[-1]["val_KR"],
        "hinge": epochs[-1]["val_HingeMargin"],
        "accuracy": epochs[-1]["val_accuracy"],
    }
    for certified in model["certified_accuracy"]:
        row[f"cert@{certified['epsilon']:g}"] = certified["accuracy"]
    row["mean_r"] = model["mean_radius_l2"]
    row["epochs_s"] = sum(epoch["seconds"] for epoch in epochs)
    row["total_s"] = model["seconds"]
    rows.append(row)

print(f"{sys.argv[1]}, seeds 0 to {len(rows) - 1}")
print("seed  " + " ".join(f"{name:>9}" for name in rows[0]))
for seed, row in enumerate(rows):
    print(f"{seed:<6}" + " ".join(f"{value:9.4f}" for value in row.values()))
columns = list(zip(*(row.values() for row in rows)))
print("mean  " + " ".join(f"{statistics.mean(column):9.4f}" for column in columns))
print("sd    " + " ".join(f"{statistics.pstdev(column):9.4f}" for column in columns))
PYTHON
