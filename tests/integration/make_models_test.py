#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What docker/make_models.sh leaves for the images.

    python3 tests/integration/make_models_test.py FOLDER_OF_PROGRAMS
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(sys.argv[1]).resolve()


class MakeModelsTest(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.models = self.folder / "models"

    def make(self, *recipes, programs=PROGRAMS):
        return subprocess.run([ROOT / "docker/make_models.sh", programs, self.models, *recipes],
                              cwd=self.folder, capture_output=True, text=True, check=False)

    def test_each_model_has_report_and_certificate_and_is_served(self):
        run = self.make("mnist08")
        self.assertEqual(run.returncode, 0, run.stderr)
        version = self.models / "mnist08/1"
        self.assertEqual(sorted(path.name for path in version.iterdir()),
                         ["certificate.json", "metrics.json", "model.lip", "report.html"])
        certificate = json.loads((version / "certificate.json").read_text())
        metrics = json.loads((version / "metrics.json").read_text())
        self.assertEqual(certificate["model"]["digest_sha256"], metrics["digest_sha256"])
        self.assertEqual(len(certificate["answers"]), 100)
        self.assertIn("answers  100 of 100 hold", run.stdout)
        self.assertEqual(subprocess.run([PROGRAMS / "lipserve-server", "--models", self.models,
                                         "--check-config"], capture_output=True, check=False).returncode, 0)

    def test_fails_and_leaves_no_server_if_an_answer_is_not_proven(self):
        programs = self.folder / "programs"
        programs.mkdir()
        for program in ("train", "client"):
            (programs / f"lipserve-{program}").symlink_to(PROGRAMS / f"lipserve-{program}")
        server = programs / "lipserve-server"
        server.write_text(f'#!/bin/sh\necho $$ >{self.folder}/pid\nexec {PROGRAMS}/lipserve-server "$@"\n')
        verify = programs / "lipserve-verify"
        verify.write_text("#!/bin/sh\nexit 1\n")
        server.chmod(0o755)
        verify.chmod(0o755)
        run = self.make("mnist08", programs=programs)
        self.assertEqual(run.returncode, 1)
        self.assertIn("mnist08: lipserve-verify does not accept", run.stderr)
        pid = (self.folder / "pid").read_text().strip()
        self.assertFalse(pathlib.Path("/proc", pid).exists())

    def test_fails_without_such_a_recipe(self):
        run = self.make("mnist09")
        self.assertEqual(run.returncode, 1)
        self.assertIn("mnist09.textproto", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
