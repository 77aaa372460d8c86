#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the tree keeps the shape that the README promises.

Prints one line per violation, `path[:line]: what is wrong; what to do`, and exits 1 if there is
any. Each rule below is a function from the tree to its violations.

    tests/architecture/check_architecture.py [ROOT]
"""

import fnmatch
import pathlib
import re
import subprocess
import sys

# Which folders a folder's sources may include, besides themselves. `tests` may include everything.
ALLOWED_INCLUDES = {
    "proto": set(),
    "model": {"proto"},
    "trainer": {"proto", "model"},
    "server": {"proto", "model"},
    "client": {"proto"},
}
SOURCE_FOLDERS = {*ALLOWED_INCLUDES, "tests"}

# Headers of libraries that we may want to replace, and of ours that let them through: each is known
# to the files that match.
CONFINED_HEADERS = {
    re.compile(r"(oneapi/dnnl/)?dnnl.*\.h(pp)?"): (
        "model/execution/onednn*.cc", "model/execution/onednn_engine.h"),
    re.compile(r"model/execution/onednn_engine\.h"): ("model/execution/onednn*.cc",),
    re.compile(r"prometheus/.*"): ("server/metrics.cc",),
}

TOP_FOLDERS = {"proto", "server", "model", "trainer", "client", "tests", "docker", "data"}
TOP_FILES = {"CMakeLists.txt", "CMakePresets.json", "README.md", "demo.sh", "test.sh"}

LICENSE_LINE = "SPDX-License-Identifier: Apache-2.0"
LICENSED_SUFFIXES = {".h", ".cc", ".proto", ".py", ".sh", ".cmake", ".textproto"}
LICENSED_NAMES = {"CMakeLists.txt", "Dockerfile", "packages.txt", ".ci/run"}
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "misc"}
MAX_LINES = 500

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
CMAKE_INCLUDE = re.compile(r"^\s*include\(\s*([\w/.-]+\.cmake)\s*\)", re.MULTILINE)


class Tree:
    """The files of a working tree that are, or would be, committed."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.paths = sorted(self._list())
        self._texts = {}

    def _list(self):
        if (self.root / ".git").exists():
            listing = subprocess.run(
                ["git", "-c", "safe.directory=*", "-C", self.root, "ls-files", "-z", "--cached",
                 "--others", "--exclude-standard"],
                check=True, capture_output=True).stdout.decode()
            return [p for p in map(pathlib.PurePosixPath, listing.split("\0")[:-1])
                    if (self.root / p).is_file()]
        files = (p.relative_to(self.root) for p in self.root.rglob("*") if p.is_file())
        return [pathlib.PurePosixPath(p) for p in files if p.parts[0] not in ("build", "models")]

    def text(self, path):
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def sources(self):
        return [p for p in self.paths if p.suffix in (".h", ".cc") and p.parts[0] in SOURCE_FOLDERS]

    def build_files(self, path):
        """Yields (folder, text) of every CMakeLists.txt above a file, with what it includes."""
        for folder in path.parents:
            build_file = folder / "CMakeLists.txt"
            if build_file not in self.paths:
                continue
            text = self.text(build_file)
            for name in CMAKE_INCLUDE.findall(text):
                text += "\n" + self.text(folder / name)
            yield folder, text

    def includes(self, path):
        """Yields (line number, included path)."""
        for number, line in enumerate(self.text(path).splitlines(), start=1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1)


def includes_point_one_way(tree):
    for path in tree.sources():
        allowed = ALLOWED_INCLUDES.get(path.parts[0])
        if allowed is None:
            continue
        for number, included in tree.includes(path):
            # Generated code is included as "lipserve/v1/x.pb.h" and belongs to proto/.
            target = "proto" if included.startswith("lipserve/") else included.split("/")[0]
            if target in SOURCE_FOLDERS and target != path.parts[0] and target not in allowed:
                may = ", ".join(sorted(allowed)) or "no other folder"
                yield (f"{path}:{number}: {path.parts[0]}/ includes {included}; "
                       f"it may include {may}")
            if included.startswith("."):
                yield f"{path}:{number}: includes {included}; start at the repository root"


def confined_headers_stay_confined(tree):
    for path in tree.sources():
        for number, included in tree.includes(path):
            for pattern, owners in CONFINED_HEADERS.items():
                if pattern.fullmatch(included) and not any(
                        fnmatch.fnmatchcase(str(path), owner) for owner in owners):
                    yield f"{path}:{number}: includes {included}; only {' and '.join(owners)} may"


def every_test_is_registered(tree):
    for path in tree.paths:
        if path.parts[0] != "tests" or not path.name.endswith("_test.cc"):
            continue
        for folder, text in tree.build_files(path):
            registration = re.compile(
                r"^\s*lipserve_test\(\s*" + re.escape(str(path.relative_to(folder))) + r"[\s)]",
                re.MULTILINE)
            if registration.search(text):
                break
        else:
            yield (f"{path}: is never run; add lipserve_test({path.name} LINK ...) to "
                   f"{path.parent}/CMakeLists.txt")


def every_source_is_built(tree):
    for path in tree.sources():
        if path.suffix != ".cc" or path.name.endswith("_test.cc"):
            continue
        named = any(
            re.search(r"(^|[\s(])" + re.escape(str(path.relative_to(folder))) + r"[\s)]", text)
            for folder, text in tree.build_files(path))
        if not named:
            yield f"{path}: no CMakeLists.txt above it names it; add it to a target or delete it"


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


def recipes_are_documented(tree):
    readmes = "".join(tree.text(p) for p in tree.paths
                      if str(p) in ("trainer/README.md", "trainer/recipes/README.md"))
    for path in tree.paths:
        if path.suffix == ".textproto" and str(path.parent) == "trainer/recipes":
            if path.stem not in readmes:
                yield f"{path}: say in trainer/recipes/README.md what it reaches"


def folders_explain_themselves(tree):
    for folder in sorted({p.parts[0] for p in tree.paths if len(p.parts) > 1} & TOP_FOLDERS):
        if pathlib.PurePosixPath(folder, "README.md") not in tree.paths:
            yield f"{folder}/: has no README.md; say what it owns and what it must not know"


def top_level_is_fixed(tree):
    for name in sorted({p.parts[0] for p in tree.paths}):
        is_folder = (tree.root / name).is_dir()
        if not name.startswith(".") and name not in (TOP_FOLDERS if is_folder else TOP_FILES):
            yield f"{name}: the top level is fixed; put it into one of {sorted(TOP_FOLDERS)}"


RULES = (
    includes_point_one_way,
    confined_headers_stay_confined,
    every_test_is_registered,
    every_source_is_built,
    files_stay_short,
    sources_name_their_license,
    names_say_something,
    recipes_are_documented,
    folders_explain_themselves,
    top_level_is_fixed,
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
