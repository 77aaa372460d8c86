#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lints the sources of a clang build with clang-tidy, those alone that have changed since they last
passed.

A unit passes once for one clang-tidy, one .clang-tidy, one command and one content of all the files
that it reads; a mark in the cache folder says so. A mark that was not used for 30 days goes.

clang-tidy comes from PyPI: this version walks past the system's headers and takes half the time of
Debian's. It keeps its place beside the marks.

The static analyzer looks only at functions of the main file, not at those of the sources that a unit
includes. So clang-tidy gets the text of these sources as one file, and findings are told by source.

    .ci/lint.py BUILD      (a built folder with compile_commands.json, such as build/asan)
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
HOME = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"), "lipserve")
CACHE = HOME / "lint"
CLANG_TIDY = "23.1.4"
KEEP_S = 30 * 24 * 3600
# Tests are not linted, generated code is not ours.
LINTED = ("proto", "model", "trainer", "server", "client")


@functools.cache
def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def output(command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def install_clang_tidy():
    """Returns the program, which pip puts into the cache folder once."""
    folder = HOME / f"clang-tidy-{CLANG_TIDY}"
    program = folder / "clang_tidy" / "data" / "bin" / "clang-tidy"
    if not program.exists():
        output([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder),
                f"clang-tidy=={CLANG_TIDY}"])
    return str(program)


def units(build):
    """Yields (source, command) of every unit to lint."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        folder = source.relative_to(build if source.is_relative_to(build) else ROOT).parts[0]
        if folder in LINTED:
            yield source, entry["command"]


def dependencies(build):
    """What each object was made from, as the build recorded it: {object: [path]}."""
    found, target = {}, None
    for line in output(["ninja", "-C", str(build), "-t", "deps"]).splitlines():
        if line.startswith("    "):
            found[target].append(build / line.strip())
        elif ":" in line:
            target = line.split(":")[0]
            found[target] = []
    return found


def mark_of(source, command, files, tool):
    """The name of the mark: one for everything that a verdict depends on."""
    key = hashlib.sha256(tool.encode())
    key.update(command.replace(str(ROOT), "").encode())
    for path in sorted({source, *files}, key=str):
        relative = str(path).replace(str(ROOT), "")
        key.update(f"{relative} {digest(path)}\n".encode())
    return CACHE / key.hexdigest()


def joined(unit):
    """The sources of a unit as one text, and for each of its lines the source and line it is.

    A header that an earlier source includes is not included again, or it would count as a repeated
    include; one that a source itself repeats still counts.
    """
    text, origins, included = [], [], set()
    for source in re.findall(r'^#include "([^"]+\.cc)"', unit.read_text(), re.MULTILINE) or [unit]:
        own = set()
        for number, line in enumerate((ROOT / source).read_text().splitlines(), start=1):
            header = re.match(r"\s*#\s*include\s*([<\"][^>\"]+[>\"])", line)
            if header:
                if header[1] in included and header[1] not in own:
                    line = ""
                own.add(header[1])
            text.append(line)
            origins.append((source, number))
        included |= own
    return "\n".join(text) + "\n", origins


@functools.cache
def clang_headers(compiler):
    return pathlib.Path(output([compiler, "-print-resource-dir"]).strip()) / "include"


def lint(tool, build, source, command):
    """Returns what clang-tidy finds, with the places of the sources; nothing if all is well."""
    text, origins = joined(source)
    # A path of its own for each unit.
    name = build / "lint" / str(source.relative_to(build if source.is_relative_to(build) else ROOT))
    name.parent.mkdir(parents=True, exist_ok=True)
    name.write_text(text)
    words = shlex.split(command)
    first = next(k for k, word in enumerate(words) if word.startswith("-"))
    compiler, flags = words[first - 1], words[first:]
    flags = flags[:flags.index("-o")]
    # The build's clang has headers that clang-tidy's own lack, such as the sanitizers'.
    headers = ["-idirafter", str(clang_headers(compiler))]
    result = subprocess.run(
        [tool, "--quiet", f"--config-file={ROOT / '.clang-tidy'}", str(name), "--", *flags, *headers],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode == 0:
        return ""
    place = re.compile(re.escape(str(name)) + r":(\d+)")
    return place.sub(lambda m: "{}:{}".format(*origins[int(m[1]) - 1]),
                     result.stdout or result.stderr)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    clang_tidy = install_clang_tidy()
    tool = digest(ROOT / ".clang-tidy") + digest(__file__)
    made_from = dependencies(build)
    CACHE.mkdir(parents=True, exist_ok=True)
    for mark in CACHE.iterdir():
        if mark.stat().st_mtime < time.time() - KEEP_S:
            mark.unlink()
    waiting, passed_before = [], 0
    for source, command in units(build):
        target = command.split(" -o ")[1].split(" ")[0]
        if target not in made_from:
            sys.exit(f"lint: {target} is not built; run cmake --build {build} first")
        mark = mark_of(source, command, made_from[target], tool)
        if mark.exists():
            mark.touch()
            passed_before += 1
        else:
            waiting.append((source, command, mark))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (*_, mark), findings in zip(
                waiting, pool.map(lambda unit: lint(clang_tidy, build, *unit[:2]), waiting)):
            if findings:
                failed += 1
                print(findings, flush=True)
            else:
                mark.touch()
    print(f"lint: {len(waiting)} units linted, {failed} with findings, {passed_before} unchanged")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
