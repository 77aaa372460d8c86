#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lints the sources of a clang build with clang-tidy, those alone that have changed since they last
passed.

A unit passes once for one clang-tidy, one .clang-tidy, one command and one content of all the files
that it reads; a mark in the cache folder says so. A mark that was not used for 30 days goes.

    .ci/lint.py BUILD      (a built folder with compile_commands.json, such as build/asan)
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"),
                     "lipserve", "lint")
KEEP_S = 30 * 24 * 3600
# Tests are not linted, generated code is not ours.
LINTED = ("proto", "model", "trainer", "server", "client")


@functools.cache
def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def output(command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


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


def lint(build, source):
    return subprocess.run(["clang-tidy", "--quiet", "-p", str(build), str(source)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    tool = output(["clang-tidy", "--version"]) + digest(ROOT / ".clang-tidy")
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
            waiting.append((source, mark))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (source, mark), result in zip(
                waiting, pool.map(lambda unit: lint(build, unit[0]), waiting)):
            if result.returncode == 0:
                mark.touch()
            else:
                failed += 1
                print(result.stdout, result.stderr, sep="", flush=True)
    print(f"lint: {len(waiting)} units linted, {failed} with findings, {passed_before} unchanged")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
