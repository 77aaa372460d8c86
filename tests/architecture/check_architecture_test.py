#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation of each rule in a small clean tree and sees it reported."""

import pathlib
import tempfile
import unittest

import check_architecture

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
HASH_SPDX = "# SPDX-License-Identifier: Apache-2.0\n"

CLEAN_TREE = {
    "CMakeLists.txt": HASH_SPDX,
    "README.md": "lipserve\n",
    "proto/README.md": "formats\n",
    "model/README.md": "models\n",
    "model/CMakeLists.txt": HASH_SPDX + "lipserve_library(m SOURCES\n  execution/onednn.cc)\n",
    "model/execution/onednn.cc": SPDX + '#include "lipserve/v1/model_file.pb.h"\n#include <dnnl.hpp>\n',
    "server/README.md": "server\n",
    "server/CMakeLists.txt": HASH_SPDX + "lipserve_library(s SOURCES metrics.cc)\n",
    "server/metrics.cc": SPDX + '#include <prometheus/counter.h>\n#include "model/certified_model.h"\n',
    "tests/README.md": "tests\n",
    "tests/model/CMakeLists.txt": HASH_SPDX + "lipserve_test(network/a_test.cc LINK m)\n",
    "tests/model/network/a_test.cc": SPDX + '#include "server/metrics.h"\n',
    "trainer/README.md": "recipes: `mnist08.textproto`\n",
    "trainer/recipes/mnist08.textproto": HASH_SPDX,
}


class CheckArchitectureTest(unittest.TestCase):

    def violations(self, changes):
        with tempfile.TemporaryDirectory() as root:
            for name, text in {**CLEAN_TREE, **changes}.items():
                if text is None:
                    continue
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return check_architecture.violations(root)

    def assert_reports(self, changes, place, words):
        found = self.violations(changes)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(place + ":"), found)
        self.assertIn(words, found[0])

    def test_accepts_a_clean_tree(self):
        self.assertEqual(self.violations({}), [])

    def test_reports_an_include_against_the_direction(self):
        self.assert_reports(
            {"model/network/x.h": SPDX + '\n#include "server/metrics.h"\n'},
            "model/network/x.h:3", "model/ includes server/metrics.h")

    def test_reports_a_client_that_knows_the_model(self):
        self.assert_reports(
            {"client/README.md": "client\n", "client/x.h": SPDX + '#include "model/tensor.h"\n'},
            "client/x.h:2", "it may include proto")

    def test_reports_an_include_of_the_tests(self):
        self.assert_reports({"trainer/x.h": SPDX + '#include "tests/model/fake.h"\n'},
                            "trainer/x.h:2", "tests/model/fake.h")

    def test_reports_generated_code_as_part_of_proto(self):
        self.assert_reports({"proto/idx/x.h": SPDX + '#include "model/tensor.h"\n'},
                            "proto/idx/x.h:2", "no other folder")

    def test_reports_a_relative_include(self):
        self.assert_reports({"server/x.h": SPDX + '#include "../model/tensor.h"\n'},
                            "server/x.h:2", "repository root")

    def test_reports_onednn_outside_its_adapter(self):
        self.assert_reports({"trainer/x.h": SPDX + "#include <oneapi/dnnl/dnnl.hpp>\n"},
                            "trainer/x.h:2", "only model/execution/onednn*.cc")
        self.assert_reports({"model/execution/onednn.h": SPDX + "#include <dnnl.hpp>\n"},
                            "model/execution/onednn.h:2", "only model/execution/onednn*.cc")

    def test_reports_a_header_that_would_let_onednn_through(self):
        self.assert_reports(
            {"model/x.h": SPDX + '#include "model/execution/onednn_engine.h"\n'},
            "model/x.h:2", "only model/execution/onednn*.cc may")

    def test_reports_prometheus_outside_its_adapter_even_in_tests(self):
        self.assert_reports({"tests/server/x.h": SPDX + "#include <prometheus/registry.h>\n"},
                            "tests/server/x.h:2", "only server/metrics.cc may")

    def test_reports_a_test_that_is_never_run(self):
        self.assert_reports(
            {"tests/model/CMakeLists.txt":
             HASH_SPDX + "# lipserve_test(network/a_test.cc LINK m)\nadd_library(b network/a_test.cc )"},
            "tests/model/network/a_test.cc", "is never run")

    def test_finds_a_registration_in_an_included_file(self):
        self.assertEqual(self.violations(
            {"tests/model/CMakeLists.txt": HASH_SPDX + "include(network.cmake)\n",
             "tests/model/network.cmake": HASH_SPDX + "lipserve_test(network/a_test.cc LINK m)\n"}),
            [])

    def test_reports_a_registration_in_a_file_that_is_not_included(self):
        self.assert_reports(
            {"tests/model/CMakeLists.txt": HASH_SPDX,
             "tests/model/network.cmake": HASH_SPDX + "lipserve_test(network/a_test.cc LINK m)\n"},
            "tests/model/network/a_test.cc", "is never run")

    def test_reports_a_source_that_is_never_built(self):
        self.assert_reports({"server/forgotten.cc": SPDX}, "server/forgotten.cc",
                            "no CMakeLists.txt above it names it")

    def test_reports_a_file_that_is_too_long(self):
        self.assert_reports({"server/x.h": SPDX + "\n" * check_architecture.MAX_LINES},
                            "server/x.h", "501 lines")

    def test_reports_a_missing_license_line(self):
        self.assert_reports({"server/x.h": "\n\n\n" + SPDX}, "server/x.h", "first three lines")

    def test_reports_a_vague_name(self):
        self.assert_reports({"server/string_utils.h": SPDX}, "server/string_utils.h", "'utils'")

    def test_reports_a_recipe_without_a_result(self):
        self.assert_reports({"trainer/recipes/other.textproto": HASH_SPDX},
                            "trainer/recipes/other.textproto", "what it reaches")

    def test_reports_a_folder_without_a_readme(self):
        self.assert_reports({"server/README.md": None}, "server/", "no README.md")

    def test_reports_a_new_name_at_the_top(self):
        self.assert_reports({"scripts/x.md": "x\n"}, "scripts", "top level is fixed")

    def test_reports_a_new_file_at_the_top(self):
        self.assert_reports({"NOTES.md": "x\n"}, "NOTES.md", "top level is fixed")


if __name__ == "__main__":
    unittest.main()
