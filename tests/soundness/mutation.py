# SPDX-License-Identifier: Apache-2.0
"""One way to be unsound, as a replacement of text in one source file."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutation:
    name: str  # what is wrong then
    file: str
    old: str  # occurs exactly once in the file
    new: str
    tests: tuple = ()  # units of tests, the likeliest to notice first
    implied: str = ""  # why it changes no guarantee: then no test has to notice
