# SPDX-License-Identifier: Apache-2.0
"""Trains recipes of this folder and prints the rows of README.md's tables: certified accuracy,
processor time, memory and file size; of prototypes also what the geometry of their cells proves.
Each model is left as models/NAME/SEED+1, with model.lip, metrics.json and report.html, and its
file's proof is checked by lipserve-verify.

    python3 trainer/recipes/reproduce.py build/release/bin mnist08_robust mnist08_best --seeds 0,1,2
    python3 trainer/recipes/reproduce.py build/release/bin cifar10_small --data cifar10=/data/cifar10
    python3 trainer/recipes/reproduce.py build/release/bin all

A finished model is not trained again: remove its folder for that. Exits 1 at the first program that
fails, 2 if the command line is wrong.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
EPSILONS = {"mnist": (0.1, 0.25, 0.3, 0.5, 1, 1.58, 2), "fashion": (0.1, 0.25, 0.3, 0.5, 1, 1.58, 2),
            "cifar10": (0.1, 36 / 255, 0.25, 72 / 255, 108 / 255, 0.5, 1, 1.58, 2)}
DEFAULT_DATA = {"mnist": "data/mnist", "fashion": "/usr/share/datasets/fashion-mnist"}
PROGRAMS = ("lipserve-train", "lipserve-verify")
# What lipserve-train calls the radii of its evaluation, besides those that a server answers.
GEOMETRY = {"geometry_any_input": "cells, any input",
            "geometry_inputs_in_unit_box": "cells, inputs in [0, 1] alone"}


def dataset_of(recipe):
    """The part of a recipe's name that says which images it needs."""
    return next(dataset for dataset in EPSILONS if recipe.startswith(dataset))


def recipe_path(recipe):
    return FOLDER / f"{recipe}.textproto"


def figures_of(accuracy, proven):
    """Accuracy, then certified accuracy at each epsilon, then the mean radius."""
    return [accuracy, *(at["accuracy"] for at in proven["certified_accuracy"]), proven["mean_radius_l2"]]


def measured(command):
    """Runs a command; returns its output, its processor seconds and its peak memory in bytes."""
    print("$ " + " ".join(map(str, command)), file=sys.stderr, flush=True)
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"reproduce.py: {command[0]} {command[1]} ended with {process.returncode}")
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


class Run:
    """One recipe with one seed: trained, proven, and evaluated on the test images."""

    def __init__(self, programs, recipe, seed, data, models):
        model = models / recipe / str(seed + 1)
        record = model / "reproduced.json"
        if not record.exists():
            shutil.rmtree(model, ignore_errors=True)
            _, seconds, memory = measured(
                [programs / "lipserve-train", "train", "--recipe", recipe_path(recipe),
                 "--data", data, "--out", model, "--seed", seed, "--json"])
            record.write_text(json.dumps({"seconds": seconds, "peak_bytes": memory}))
        cost = json.loads(record.read_text())
        self.seconds, self.peak_bytes = cost["seconds"], cost["peak_bytes"]
        self.file_bytes = (model / "model.lip").stat().st_size
        measured([programs / "lipserve-verify", "--model", model, "--json"])
        epsilons = EPSILONS[dataset_of(recipe)]
        evaluate = [programs / "lipserve-train", "evaluate", "--model", model, "--data", data,
                    "--epsilons", ",".join(map(repr, map(float, epsilons))), "--json"]
        if "nearest_prototype" in recipe_path(recipe).read_text():
            evaluate.append("--geometry")
        evaluation = json.loads(measured(evaluate)[0])
        self.figures = figures_of(evaluation["accuracy"], evaluation)
        self.geometry = {name: figures_of(evaluation["accuracy"], evaluation[key])
                         for key, name in GEOMETRY.items() if key in evaluation}


def share(values, digits):
    """A mean, and half of largest less smallest if there are several."""
    text = f"{statistics.fmean(values):.{digits}f}".removeprefix("0")
    if len(values) > 1:
        text += f" ± {(max(values) - min(values)) / 2:.{digits}f}".replace("± 0", "± ")
    return text


def print_row(recipe, figures_of_seeds):
    columns = list(zip(*figures_of_seeds))
    cells = [share(column, 4) for column in columns[:-1]] + [share(columns[-1], 3)]
    print(f"| {recipe} | {len(figures_of_seeds)} | " + " | ".join(cells) + " |")


def print_tables(runs):
    for dataset, epsilons in EPSILONS.items():
        rows = {recipe: run for recipe, run in runs.items() if dataset_of(recipe) == dataset}
        if not rows:
            continue
        head = ["recipe", "seeds", "accuracy", *(f"{e:.3g}" for e in epsilons), "mean radius"]
        print("\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
        for recipe, seeds in rows.items():
            print_row(f"`{recipe}`", [run.figures for run in seeds])
            for name in seeds[0].geometry:
                print_row(f"`{recipe}`, {name}", [run.geometry[name] for run in seeds])
    print("\n| recipe | processor time of the program | peak memory | model file |\n|---|---|---|---|")
    for recipe, seeds in runs.items():
        print(f"| `{recipe}` | {statistics.fmean(r.seconds for r in seeds):.1f} s "
              f"| {max(r.peak_bytes for r in seeds) / 1e6:.0f} MB "
              f"| {seeds[0].file_bytes / 1e6:.1f} MB |")


def parse_arguments():
    recipes = sorted(path.stem for path in FOLDER.glob("*.textproto"))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=pathlib.Path, help="folder of lipserve-train and -verify")
    parser.add_argument("recipes", nargs="+", choices=["all", *recipes], metavar="RECIPE",
                        help="all, or some of: " + ", ".join(recipes))
    parser.add_argument("--seeds", default="0", help="separated by commas (default: 0)")
    parser.add_argument("--models", type=pathlib.Path, default="models", help="default: models")
    parser.add_argument("--data", action="append", default=[], metavar="DATASET=FOLDER",
                        help="where images of mnist, fashion or cifar10 are")
    arguments = parser.parse_args()
    if "all" in arguments.recipes:
        arguments.recipes = recipes
    for program in PROGRAMS:
        if not (arguments.programs / program).is_file():
            parser.error(f"{arguments.programs}: expected a folder with {program}, e.g. build/release/bin")
    seeds = arguments.seeds.split(",")
    if not all(seed.isdecimal() for seed in seeds) or len(set(map(int, seeds))) < len(seeds):
        parser.error(f"--seeds: expected different whole numbers, e.g. 0,1,2, got {arguments.seeds}")
    arguments.seeds = [int(seed) for seed in seeds]
    folders = dict(DEFAULT_DATA)
    for pair in arguments.data:
        dataset, _, folder = pair.partition("=")
        if dataset not in EPSILONS or not folder:
            parser.error(f"--data: expected one of {', '.join(EPSILONS)}, '=' and a folder, got {pair}")
        folders[dataset] = folder
    for recipe in arguments.recipes:
        if dataset_of(recipe) not in folders:
            parser.error(f"{recipe}: needs --data {dataset_of(recipe)}=FOLDER")
    return arguments, folders


def main():
    arguments, folders = parse_arguments()
    runs = {recipe: [Run(arguments.programs, recipe, seed, folders[dataset_of(recipe)], arguments.models)
                     for seed in arguments.seeds]
            for recipe in arguments.recipes}
    print_tables(runs)


if __name__ == "__main__":
    main()
