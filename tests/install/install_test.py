#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs a build into an empty folder, and uses only what is there.

client/examples is built against the installed library, as somebody else would, and asks the
installed server about a model that the installed trainer made.

    install_test.py BUILD WORK COMPILER FLAGS LAUNCHER        (started by ctest; WORK is emptied)
"""

import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/reliability"))
from served import MODEL, Programs, Server  # pylint: disable=wrong-import-position

BUILD, WORK = map(pathlib.Path, sys.argv[1:3])
COMPILER, FLAGS, LAUNCHER = sys.argv[3:6]
PREFIX = WORK / "prefix"


def run(*command):
    """The finished program; it may fail."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)


def succeed(*command):
    finished = run(*command)
    if finished.returncode != 0:
        raise RuntimeError(f"{command}: {finished.stdout}{finished.stderr}")


def setUpModule():
    shutil.rmtree(WORK, ignore_errors=True)
    succeed("cmake", "--install", BUILD, "--prefix", PREFIX)
    succeed("cmake", "-G", "Ninja", "-S", ROOT / "client/examples", "-B", WORK / "build",
            f"-DCMAKE_PREFIX_PATH={PREFIX}", f"-DCMAKE_CXX_COMPILER={COMPILER}",
            f"-DCMAKE_CXX_FLAGS={FLAGS}", f"-DCMAKE_CXX_COMPILER_LAUNCHER={LAUNCHER}")
    succeed("cmake", "--build", WORK / "build")


class InstallTest(unittest.TestCase):

    def test_programs_start(self):
        for program in ("server", "client", "train", "verify"):
            succeed(PREFIX / f"bin/lipserve-{program}", "--version")

    def test_example_classifies(self):
        programs = Programs(PREFIX / "bin")
        programs.train(WORK / "models" / MODEL / "1")
        with Server(programs, WORK / "models") as server:
            answer = run(WORK / "build/classify", server.grpc)
        server.log.close()
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertRegex(answer.stdout, r"^class     0\nmargin    \d+\.\d+\n"
                                        r"radius    \d+\.\d+ pixel steps \(L2\)\n"
                                        r"certified yes, at 100\n$")

    def test_example_says_that_no_server_is_there(self):
        answer = run(WORK / "build/classify", "127.0.0.1:1")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("is lipserve-server running there", answer.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
