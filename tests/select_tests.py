#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds the test programs that hold some tests, and GoogleTest's filter for these tests.

A selection is a part of `Suite.Name` in which * stands for anything, or a unit such as
operator_norm_test; | stands between several. Prints `PROGRAM FILTER` for each program; exits 2 if
nothing matches.

    tests/select_tests.py 'OperatorNorm|row_pairs_test'
"""

import fnmatch
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent
MACRO = re.compile(r"^(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)", re.MULTILINE)


def select(selection, tests=TESTS):
    """Returns {program: filter}."""
    chosen = {}
    for path in sorted(tests.rglob("*_test.cc")):
        found = MACRO.findall(path.read_text(encoding="utf-8"))
        filters = chosen.setdefault(program_of(path, tests), [])
        for part in selection.split("|"):
            if part == path.stem:
                for suite in sorted({suite for suite, _ in found}):
                    filters += [f"{suite}.*", f"*/{suite}.*", f"{suite}/*"]
            elif any(fnmatch.fnmatchcase(f"{suite}.{name}", f"*{part}*") for suite, name in found):
                filters.append(f"*{part}*")
    return {program: ":".join(dict.fromkeys(filters))
            for program, filters in chosen.items() if filters}


def program_of(path, tests):
    """Each folder's tests are one program, but for the one that is compiled wrongly on purpose."""
    if path.stem == "floating_point_canary_fast_math_test":
        return "canary_fast_math_tests"
    return f"{path.relative_to(tests).parts[0]}_tests"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    programs = select(sys.argv[1])
    if not programs:
        print(f"no test is called '{sys.argv[1]}': expected a part of Suite.Name, with * for "
              "anything, or a unit such as operator_norm_test", file=sys.stderr)
        sys.exit(2)
    for program, selected in programs.items():
        print(program, selected)


if __name__ == "__main__":
    main()
