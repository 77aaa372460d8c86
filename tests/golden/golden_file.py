# SPDX-License-Identifier: Apache-2.0
"""How golden files are written: what tests/trainer/layers/peer_parity_test.cc reads."""

import json
from importlib.metadata import version

import numpy as np


def numbers(array):
    """The shortest decimals that give the nearest float32 back."""
    return [float(str(np.float32(value))) for value in np.ravel(array)]


def image_shape(shape):
    """[C, H, W] of a batch [N, C, H, W] or [N, C]."""
    return (list(shape[1:]) + [1, 1])[:3]


def write(path, script, packages, layers, losses):
    golden = {
        "made_by": script,
        "versions": {name: version(name) for name in packages},
        "layers": layers,
        "losses": losses,
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=None, separators=(",", ":"))
        file.write("\n")
    print(f"{len(layers)} layers, {len(losses)} losses")
