#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the tree keeps the shape that the README promises.

Prints one line per violation, `path[:line]: what is wrong; what to do`, and exits 1 if there is
any. Each rule is a function from the tree to its violations: those of files and folders are here,
those of includes in include_rules.py, those of Markdown in document_rules.py.

    tests/architecture/check_architecture.py [ROOT]
"""

import pathlib
import re
import sys

import document_rules
import include_rules
from source_tree import Tree

TOP_FOLDERS = {"proto", "server", "model", "trainer", "client", "tests", "docker", "data"}
TOP_FILES = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "demo.sh", "test.sh"}

# The folder of sources whose rooms a folder of tests mirrors. The other folders of tests have
# subjects of their own.
MIRRORED = {
    "tests/proto": "proto",
    "tests/model": "model",
    "tests/trainer": "trainer",
    "tests/server": "server",
    "tests/client": "client",
    "tests/verify": "client/verify",
}

# A unit is x.h with x.cc, or one of them. These rooms hold one unit per formula.
MAX_UNITS = 24
ROOMS_OF_FORMULAS = {
    "trainer/layers", "trainer/losses", "tests/trainer/layers", "tests/trainer/losses"}

LICENSE_LINE = "SPDX-License-Identifier: Apache-2.0"
LICENSED_SUFFIXES = {".h", ".cc", ".proto", ".py", ".sh", ".cmake", ".textproto"}
LICENSED_NAMES = {"CMakeLists.txt", "Dockerfile", "packages.txt", ".ci/run"}
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "misc"}
MAX_LINES = 500


def every_test_is_registered(tree):
    for path in tree.paths:
        if path.parts[0] != "tests" or not path.name.endswith("_test.cc"):
            continue
        if not tree.is_named_in_a_build_file(path):
            yield f"{path}: is never run; add it to a lipserve_tests() in a CMakeLists.txt above it"


def tests_mirror_the_rooms(tree):
    rooms = {str(folder) for path in tree.sources() for folder in path.parents}
    for path in tree.paths:
        mirrored = MIRRORED.get("/".join(path.parts[:2]))
        if mirrored is None or not path.name.endswith("_test.cc"):
            continue
        room = "/".join((mirrored, *path.parts[2:-1]))
        if room not in rooms:
            yield f"{path}: mirrors {room}/, which does not exist; move it to the room it tests"


def every_source_is_built(tree):
    for path in tree.sources():
        if path.suffix != ".cc" or path.name.endswith("_test.cc"):
            continue
        if not tree.is_named_in_a_build_file(path):
            yield f"{path}: no CMakeLists.txt above it names it; add it to a target or delete it"


def folders_stay_small(tree):
    units = {}
    for path in tree.sources():
        units.setdefault(str(path.parent), set()).add(path.stem)
    for folder, stems in units.items():
        if len(stems) > MAX_UNITS and folder not in ROOMS_OF_FORMULAS:
            yield f"{folder}/: {len(stems)} units, at most {MAX_UNITS}; give an idea its own room"


def files_stay_short(tree):
    for path in tree.sources() + [p for p in tree.paths if p.suffix in (".py", ".sh", ".proto")]:
        lines = tree.text(path).count("\n")
        if lines > MAX_LINES:
            yield f"{path}: {lines} lines, at most {MAX_LINES}; split it by idea"


def sources_name_their_license(tree):
    for path in tree.paths:
        if path.suffix in LICENSED_SUFFIXES or {path.name, str(path)} & LICENSED_NAMES:
            if LICENSE_LINE not in "\n".join(tree.text(path).splitlines()[:3]):
                yield f"{path}: the first three lines must hold '{LICENSE_LINE}'"


def names_say_something(tree):
    for path in tree.paths:
        for part in path.parts:
            vague = VAGUE_NAMES.intersection(re.split(r"[._-]", part.lower()))
            if vague:
                yield f"{path}: '{vague.pop()}' names nothing; name the file after its one idea"
                break


def folders_explain_themselves(tree):
    for folder in sorted({p.parts[0] for p in tree.paths if len(p.parts) > 1} & TOP_FOLDERS):
        if pathlib.PurePosixPath(folder, "README.md") not in tree.path_set:
            yield f"{folder}/: has no README.md; say what it owns and what it must not know"


def top_level_is_fixed(tree):
    for name in sorted({p.parts[0] for p in tree.paths}):
        is_folder = (tree.root / name).is_dir()
        if not name.startswith(".") and name not in (TOP_FOLDERS if is_folder else TOP_FILES):
            yield f"{name}: the top level is fixed; put it into one of {sorted(TOP_FOLDERS)}"


RULES = (
    *include_rules.RULES,
    every_test_is_registered,
    tests_mirror_the_rooms,
    every_source_is_built,
    folders_stay_small,
    files_stay_short,
    sources_name_their_license,
    names_say_something,
    folders_explain_themselves,
    top_level_is_fixed,
    *document_rules.RULES,
)


def violations(root):
    tree = Tree(root)
    return [violation for rule in RULES for violation in rule(tree)]


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    root = sys.argv[1] if len(sys.argv) == 2 else pathlib.Path(__file__).resolve().parents[2]
    found = violations(root)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"architecture: {len(RULES)} rules, {len(found)} violations")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
