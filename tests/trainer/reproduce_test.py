#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What trainer/recipes/reproduce.py trains, prints and refuses, with recipes that take milliseconds.

    python3 tests/trainer/reproduce_test.py FOLDER_OF_PROGRAMS
"""

import json
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import unittest

REPRODUCE = pathlib.Path(__file__).resolve().parents[2] / "trainer/recipes/reproduce.py"
PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
AXIS = 6

# Bright on the left is a 0, bright on the right an 8.
RECIPE = """name: "mnist_tiny"
dataset { idx {} classes: [0, 8] pixel_divisor: 255 }
layers { flatten {} }
layers { spectral_dense { units: 4 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }
layers { group_sort { group_size: 2 } }
layers { dense { units: 1 use_bias: true } }
loss { offset_cross_entropy { offset: 1 temperature: 0.25 margins: MARGIN_KIND_CERTIFIED } }
optimizer { adam { learning_rate: 0.01 } }
batch_size: 8
epochs: 1
"""
PROTOTYPES = """name: "mnist_prototypes"
dataset { idx {} pixel_divisor: 255 }
layers { flatten {} }
layers { nearest_prototype { classes: 2 prototypes_per_class: 2 } }
loss { prototype_margin { margin: 1 } }
optimizer { sgd { learning_rate: 1 } }
batch_size: 8
epochs: 1
"""


def write_idx(path, dimensions, values):
    path.write_bytes(bytes([0, 0, 8, len(dimensions)]) +
                     b"".join(size.to_bytes(4, "big") for size in dimensions) + bytes(values))


def write_images(folder, prefix, count, generator, labels):
    of_images = [labels[i % 2] for i in range(count)]
    pixels = [generator.randrange(100) + (100 if (p % AXIS < AXIS // 2) == (label == labels[0]) else 0)
              for label in of_images for p in range(AXIS * AXIS)]
    write_idx(folder / f"{prefix}-images-idx3-ubyte", [count, AXIS, AXIS], pixels)
    write_idx(folder / f"{prefix}-labels-idx1-ubyte", [count], of_images)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def rows(output, first_cell):
    """The rows of both tables that start with a cell."""
    return [cells(line)[1:] for line in output.splitlines() if line.startswith(f"| {first_cell} |")]


class ReproduceTest(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        # It takes the recipes beside it.
        shutil.copy(REPRODUCE, self.folder)
        (self.folder / "mnist_tiny.textproto").write_text(RECIPE)
        (self.folder / "mnist_prototypes.textproto").write_text(PROTOTYPES)
        self.data = self.write_data("data", [0, 8])

    def write_data(self, name, labels):
        folder = self.folder / name
        folder.mkdir()
        generator = random.Random(1)
        write_images(folder, "train", 40, generator, labels)
        write_images(folder, "t10k", 20, generator, labels)
        return folder

    def reproduce(self, *arguments, programs=PROGRAMS, data=None):
        return subprocess.run(
            [sys.executable, "-B", self.folder / "reproduce.py", programs, *arguments, "--models",
             self.folder / "models", "--data", f"mnist={data or self.data}"],
            capture_output=True, text=True, check=False)

    def assert_refuses(self, words, *arguments, **options):
        run = self.reproduce(*arguments, **options)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertIn(words, run.stderr)
        self.assertFalse((self.folder / "models").exists())

    def with_failing(self, name):
        """A folder of the programs, one of which fails."""
        folder = self.folder / f"no_{name}"
        folder.mkdir()
        for program in ("lipserve-train", "lipserve-verify"):
            (folder / program).symlink_to(PROGRAMS / program)
        (folder / name).unlink()
        (folder / name).write_text("#!/bin/sh\nexit 3\n")
        (folder / name).chmod(0o755)
        return folder

    def test_prints_means_and_spreads_over_seeds(self):
        run = self.reproduce("mnist_tiny", "--seeds", "0,3")
        self.assertEqual(run.returncode, 0, run.stderr)
        figures, cost = rows(run.stdout, "`mnist_tiny`")
        evaluations = []
        for version in (1, 4):
            model = self.folder / "models/mnist_tiny" / str(version)
            self.assertTrue((model / "model.lip").is_file() and (model / "report.html").is_file())
            metrics = json.loads((model / "metrics.json").read_text())
            self.assertEqual(metrics["seed"], version - 1)
            evaluations.append(metrics["evaluation"])
        head = next(cells(line) for line in run.stdout.splitlines() if line.startswith("| recipe"))
        self.assertEqual(head[1:], ["seeds", "accuracy", "0.1", "0.25", "0.3", "0.5", "1", "1.58", "2",
                                    "mean radius"])
        self.assertEqual(len(figures), len(head) - 1)
        self.assertEqual(figures[0], "2")
        # metrics.json has the default radii of lipserve-train, three of which are in the table too.
        expected = {1: [e["accuracy"] for e in evaluations], 9: [e["mean_radius_l2"] for e in evaluations]}
        for column, epsilon in ((3, 0.25), (5, 0.5), (6, 1)):
            expected[column] = [next(at["accuracy"] for at in e["certified_accuracy"]
                                     if at["epsilon"] == epsilon) for e in evaluations]
        for column, values in expected.items():
            mean, spread = map(float, figures[column].split(" ± "))
            self.assertAlmostEqual(mean, statistics.fmean(values), delta=6e-4, msg=str(column))
            self.assertAlmostEqual(spread, (max(values) - min(values)) / 2, delta=6e-4, msg=str(column))
        self.assertRegex(cost[0], r"^\d+\.\d s$")
        self.assertRegex(cost[1], r"^[1-9]\d* MB$")
        self.assertRegex(cost[2], r"^\d+\.\d MB$")

    def test_prints_no_spread_of_a_single_seed(self):
        run = self.reproduce("mnist_tiny")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(rows(run.stdout, "`mnist_tiny`")[0][0], "1")
        self.assertNotIn("±", run.stdout)

    def test_prints_what_the_geometry_of_prototypes_proves(self):
        data = self.write_data("two_classes", [0, 1])
        run = self.reproduce("mnist_prototypes", data=data)
        self.assertEqual(run.returncode, 0, run.stderr)
        (served, _), (any_input,), (in_box,) = (
            rows(run.stdout, "`mnist_prototypes`" + what)
            for what in ("", ", cells, any input", ", cells, inputs in [0, 1] alone"))
        self.assertEqual([len(row) for row in (served, any_input, in_box)], [10] * 3)
        # Each adversary may do less than the one before.
        for one, two, three in zip(served, any_input, in_box):
            self.assertLessEqual(float(one), float(two))
            self.assertLessEqual(float(two), float(three))

    def test_takes_a_finished_model_as_it_is(self):
        first = self.reproduce("mnist_tiny")
        model = self.folder / "models/mnist_tiny/1/model.lip"
        written = model.stat().st_mtime_ns
        second = self.reproduce("mnist_tiny")
        self.assertEqual(second.stdout, first.stdout)
        self.assertNotIn(" train --recipe", second.stderr)
        self.assertEqual(model.stat().st_mtime_ns, written)

    def test_trains_a_model_anew_whose_training_was_cut_short(self):
        self.reproduce("mnist_tiny")
        model = self.folder / "models/mnist_tiny/1"
        whole = (model / "model.lip").read_bytes()
        (model / "reproduced.json").unlink()
        (model / "model.lip").write_bytes(whole[:100])
        (model / "left_over").touch()
        run = self.reproduce("mnist_tiny")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual((model / "model.lip").read_bytes(), whole)
        self.assertFalse((model / "left_over").exists())

    def test_ends_where_training_fails(self):
        run = self.reproduce("mnist_tiny", programs=self.with_failing("lipserve-train"))
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertIn("lipserve-train train ended with 3", run.stderr)
        self.assertFalse((self.folder / "models/mnist_tiny/1/reproduced.json").exists())

    def test_ends_where_the_proof_of_a_model_fails(self):
        run = self.reproduce("mnist_tiny", programs=self.with_failing("lipserve-verify"))
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertIn("lipserve-verify --model ended with 3", run.stderr)

    def test_refuses_a_recipe_that_is_not_there(self):
        self.assert_refuses("invalid choice: 'mnist09' (choose from 'all', 'mnist_prototypes', 'mnist_tiny')",
                            "mnist09")

    def test_refuses_seeds_that_are_no_different_whole_numbers(self):
        for seeds in ("", "one", "0,", "0.5", "-1", "0,1,0", "1,01"):
            self.assert_refuses(f"expected different whole numbers, e.g. 0,1,2, got {seeds}",
                                "mnist_tiny", f"--seeds={seeds}")

    def test_refuses_data_of_no_known_name(self):
        for pair in ("mnist", "digits=/data", "cifar10="):
            self.assert_refuses(f"expected one of mnist, fashion, cifar10, '=' and a folder, got {pair}",
                                "mnist_tiny", "--data", pair)

    def test_refuses_a_recipe_whose_images_were_not_named(self):
        (self.folder / "cifar10_tiny.textproto").write_text(RECIPE)
        self.assert_refuses("cifar10_tiny: needs --data cifar10=FOLDER", "cifar10_tiny")

    def test_refuses_a_folder_without_programs(self):
        self.assert_refuses("expected a folder with lipserve-train", "mnist_tiny", programs=self.folder)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
