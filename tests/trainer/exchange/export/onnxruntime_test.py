# SPDX-License-Identifier: Apache-2.0
"""Runs exported models in onnxruntime, and ONNX's own checker on them.

onnxruntime's scores must be those of lipserve's float64 evaluation, up to float32 rounding.

    onnxruntime_test.py PROGRAMS      (started by check.sh)
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[4]
PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
# A float32 operation rounds by 6e-8 of its result. What a score is made of is not much larger than
# the largest score of its batch, and fewer than a hundred roundings follow one another.
TOLERANCE = 1e-5


class ExportedModels(unittest.TestCase):
    """Every frozen layer, networks of several, and every recipe."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="lipserve-onnx-")
        recipes = sorted((ROOT / "trainer/recipes").glob("*.textproto"))
        subprocess.run([PROGRAMS / "onnx_cases", cls.folder.name, *recipes], check=True)
        cls.models = sorted(pathlib.Path(cls.folder.name).glob("*.onnx"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_recipes_and_layers_are_there(self):
        recipes = [path for path in self.models if path.name.startswith("recipe_")]
        self.assertEqual(len(recipes), len(list((ROOT / "trainer/recipes").glob("*.textproto"))))
        self.assertGreater(len(self.models), len(recipes) + 80)

    def test_onnx_accepts_them(self):
        for path in self.models:
            with self.subTest(path.stem):
                onnx.checker.check_model(str(path), full_check=True)

    def test_onnxruntime_gives_the_same_scores(self):
        for path in self.models:
            with self.subTest(path.stem):
                self.compare(path)

    def compare(self, path):
        """All inputs at once, and each alone."""
        numbers = json.loads(path.with_suffix(".json").read_text())
        inputs = np.float32(numbers["inputs"]).reshape(numbers["shape"])
        expected = np.float64(numbers["scores"]).reshape(len(inputs), -1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        together, = session.run(["scores"], {"images": inputs})
        alone = np.concatenate([session.run(None, {"images": x[None]})[0] for x in inputs])
        for scores in (together, alone):
            self.assertEqual(scores.shape, expected.shape)
            self.assertEqual(scores.dtype, np.float32)
            np.testing.assert_allclose(scores, expected, rtol=0,
                                       atol=TOLERANCE * np.abs(expected).max())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
