#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants known ways to be unsound, one at a time, in a copy of the tree, and says whether the tests
notice each. Exit code 0: every mutation made a test fail; 1: one survived, or the tree itself fails
its tests; 2: a mutation no longer finds its place in the source. A mutation of a term that others
imply is printed with the reason and not planted.

    tests/soundness/mutations.py [--check] [--keep FOLDER] [--only TEXT ...]
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from mutation_list import MUTATIONS

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from select_tests import select  # noqa: E402

BUILD = "build/mutations"
CONFIGURE = (
    "cmake", "-G", "Ninja", "-B", BUILD, "-S", ".", "--log-level=WARNING",
    "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_COMPILER=g++",
    # A mutation may leave something unused.
    "-DCMAKE_CXX_FLAGS=-O1 -D_GLIBCXX_ASSERTIONS -Wno-error=unused-parameter "
    "-Wno-error=unused-variable -Wno-error=unused-but-set-variable",
)
# No test takes a tenth of it; a mutation may well hang one.
TEST_TIMEOUT_S = 300


def run(command, tree, **options):
    """Runs a command in the tree, so that ccache shares what other copies have compiled."""
    environment = os.environ | {"CCACHE_BASEDIR": str(tree), "CCACHE_NOHASHDIR": "1"}
    return subprocess.run(command, cwd=tree, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def copy_tree(source, target):
    """Copies what is, or would be, committed; files that are equal stay as old as they are."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], cwd=source, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0")[:-1]:
        new, old = source / name, target / name
        if name.startswith("data/") or not new.is_file():
            continue
        if old.is_file() and old.read_bytes() == new.read_bytes():
            continue
        old.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(new, old)


def stale_mutations(source, mutations):
    """Says of each mutation whose text is not found exactly once how often it is."""
    stale = []
    for mutation in mutations:
        path = source / mutation.file
        count = path.read_text().count(mutation.old) if path.is_file() else 0
        if count != 1:
            stale.append(f'{mutation.file}: "{mutation.name}": expected the text to replace once, '
                         f"found it {count} times; update the list that has it in tests/soundness/")
    return stale


def build(tree, tests):
    programs = sorted(select("|".join(tests)))
    return run(["cmake", "--build", BUILD, "--target", *programs], tree)


def first_failure(tree, tests):
    """The first test that fails or hangs, or None."""
    for test in tests:
        (program, suites), = select(test).items()
        try:
            if run([f"{BUILD}/bin/{program}", "--gtest_brief=1", f"--gtest_filter={suites}"], tree,
                   timeout=TEST_TIMEOUT_S).returncode != 0:
                return test
        except subprocess.TimeoutExpired:
            return f"{test} (hangs)"
    return None


def try_mutation(tree, mutation):
    """Returns (caught, by what or why not)."""
    path = tree / mutation.file
    original = path.read_text()
    path.write_text(original.replace(mutation.old, mutation.new))
    try:
        built = build(tree, mutation.tests)
        if built.returncode != 0:
            return False, "does not compile:\n" + built.stdout[-3000:]
        failure = first_failure(tree, mutation.tests)
        return failure is not None, failure or "SURVIVED " + ", ".join(mutation.tests)
    finally:
        path.write_text(original)


def try_all(tree, mutations):
    """Prints one line per mutation and returns how many were caught."""
    width = max(len(mutation.name) for mutation in mutations)
    caught_count = 0
    for mutation in mutations:
        begin = time.monotonic()
        caught, what = try_mutation(tree, mutation)
        caught_count += caught
        seconds = time.monotonic() - begin
        print(f"{'caught' if caught else 'FAILED'}  {mutation.name:<{width}}  {seconds:4.0f} s  "
              f"{what}", flush=True)
    return caught_count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true",
                        help="only say whether each mutation finds its place")
    parser.add_argument("--keep", type=pathlib.Path,
                        help="work in this folder and keep it: the second run builds less")
    parser.add_argument("--only", nargs="+", metavar="TEXT",
                        help="only mutations whose name has one of these texts")
    arguments = parser.parse_args()
    mutations = [m for m in MUTATIONS
                 if not arguments.only or any(text in m.name for text in arguments.only)]
    if not mutations:
        print("no mutation has such a name", file=sys.stderr)
        return 2
    source = pathlib.Path(__file__).resolve().parents[2]
    if stale := stale_mutations(source, mutations):
        print("\n".join(stale), file=sys.stderr)
        return 2
    if arguments.check:
        return 0
    for mutation in mutations:
        if mutation.implied:
            print(f"implied {mutation.name}: {mutation.implied}")
    mutations = [mutation for mutation in mutations if not mutation.implied]
    if not mutations:
        return 0
    tree = (arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="lipserve_mutations_"))).resolve()
    try:
        tree.mkdir(parents=True, exist_ok=True)
        copy_tree(source, tree)
        tests = sorted({test for mutation in mutations for test in mutation.tests})
        built = run(CONFIGURE, tree)
        if built.returncode == 0:
            built = build(tree, tests)
        if built.returncode != 0:
            print(built.stdout[-3000:], file=sys.stderr)
            return 1
        if failure := first_failure(tree, tests):
            print(f"the tree fails without a mutation: {failure}", file=sys.stderr)
            return 1
        caught = try_all(tree, mutations)
        print(f"{caught} of {len(mutations)} mutations caught")
        return 0 if caught == len(mutations) else 1
    finally:
        if not arguments.keep:
            shutil.rmtree(tree, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
