#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation of each rule in a small clean tree and sees it reported."""

import pathlib
import tempfile
import unittest

import check_architecture
import document_rules

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
HASH_SPDX = "# SPDX-License-Identifier: Apache-2.0\n"

TEST_PROGRAM = "lipserve_tests(model_tests SOURCES network/a_test.cc LINK m)\n"

CLEAN_TREE = {
    "CMakeLists.txt": HASH_SPDX,
    "README.md": "lipserve\n",
    "proto/README.md": "formats\n",
    "model/README.md": "models\n",
    "model/network/layer.h": SPDX + '#include "model/foundation/mutex.h"\n',
    "model/CMakeLists.txt": HASH_SPDX + "lipserve_library(m SOURCES\n  execution/onednn.cc)\n",
    "model/execution/onednn.cc": SPDX + '#include "lipserve/v1/model_file.pb.h"\n#include <dnnl.hpp>\n',
    "server/README.md": "server\n",
    "server/CMakeLists.txt": HASH_SPDX + "lipserve_library(s SOURCES\n  operations/metrics.cc)\n",
    "server/operations/metrics.cc":
        SPDX + '#include <prometheus/counter.h>\n#include "model/certified_model.h"\n',
    "server/repository/serving_config.cc": SPDX + '#include "lipserve/v1/serving_config.pb.h"\n',
    "server/repository/CMakeLists.txt": HASH_SPDX + "add_library(r serving_config.cc)\n",
    "server/rpc/call.h": SPDX + '#include <grpcpp/grpcpp.h>\n#include "server/operations/clock.h"\n',
    "tests/README.md": "tests\n",
    "tests/model/CMakeLists.txt": HASH_SPDX + TEST_PROGRAM,
    "tests/model/network/a_test.cc": SPDX + '#include "server/operations/metrics.h"\n',
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
            {"model/network/x.h": SPDX + '\n#include "server/operations/metrics.h"\n'},
            "model/network/x.h:3", "model/ includes server/operations/metrics.h")

    def test_reports_a_client_that_knows_the_model(self):
        self.assert_reports(
            {"client/README.md": "client\n", "client/x.h": SPDX + '#include "model/tensor.h"\n'},
            "client/x.h:2", "it may include proto")

    def test_reports_an_include_of_the_tests(self):
        self.assert_reports({"trainer/run/x.h": SPDX + '#include "tests/model/fake.h"\n'},
                            "trainer/run/x.h:2", "tests/model/fake.h")

    def test_reports_generated_code_as_part_of_proto(self):
        self.assert_reports({"proto/idx/x.h": SPDX + '#include "model/tensor.h"\n'},
                            "proto/idx/x.h:2", "no other folder")

    def test_reports_a_relative_include(self):
        self.assert_reports({"server/x.h": SPDX + '#include "../model/tensor.h"\n'},
                            "server/x.h:2", "repository root")

    def test_reports_onednn_outside_its_adapter(self):
        self.assert_reports({"trainer/run/x.h": SPDX + "#include <oneapi/dnnl/dnnl.hpp>\n"},
                            "trainer/run/x.h:2", "only model/execution/onednn*.cc")
        self.assert_reports({"model/execution/onednn.h": SPDX + "#include <dnnl.hpp>\n"},
                            "model/execution/onednn.h:2", "only model/execution/onednn*.cc")

    def test_reports_a_header_that_would_let_onednn_through(self):
        self.assert_reports(
            {"model/x.h": SPDX + '#include "model/execution/onednn_engine.h"\n'},
            "model/x.h:2", "only model/execution/onednn*.cc may")

    def test_reports_prometheus_outside_its_adapter_even_in_tests(self):
        self.assert_reports({"tests/server/x.h": SPDX + "#include <prometheus/registry.h>\n"},
                            "tests/server/x.h:2", "only server/operations/metrics.cc, server/operations/connection_metrics.cc may")

    def test_reports_a_room_that_includes_a_room_above_it(self):
        self.assert_reports(
            {"model/arithmetic/x.h": SPDX + '#include "model/network/layer.h"\n'},
            "model/arithmetic/x.h:2", "model/arithmetic/ includes model/network/layer.h")
        self.assert_reports({"server/rpc/x.h": SPDX + '#include "server/server.h"\n'},
                            "server/rpc/x.h:2", "may include server/operations, server/scheduling")

    def test_reports_a_room_that_nothing_is_known_of(self):
        self.assert_reports(
            {"server/attic/x.h": SPDX, "server/attic/y.h": SPDX}, "server/attic/", "no known room")

    def test_reports_an_independent_checker_that_knows_the_client(self):
        client = {"client/README.md": "client\n"}
        self.assert_reports(
            {**client, "client/verify/x.h": SPDX + '#include "client/certificate_file.h"\n'},
            "client/verify/x.h:2", "client/verify/ includes client/certificate_file.h")

    def test_reports_an_independent_checker_that_knows_messages(self):
        client = {"client/README.md": "client\n"}
        self.assert_reports(
            {**client, "client/verify/exact/x.h": SPDX + '#include "lipserve/v1/layer.pb.h"\n'},
            "client/verify/exact/x.h:2", "may include proto/idx, proto/text only")
        self.assertEqual(self.violations(
            {**client, "client/verify/x.h": SPDX + '#include "proto/idx/idx_file.h"\n'}), [])

    def test_reports_messages_in_rooms_without_them(self):
        for room in ("scheduling", "rpc", "repository"):
            self.assert_reports(
                {f"server/{room}/x.h": SPDX + '#include "lipserve/v1/classifier.pb.h"\n'},
                f"server/{room}/x.h:2", "must not know messages")

    def test_reports_grpc_outside_its_rooms(self):
        for header in ("grpcpp/support/status.h", "grpc/support/log.h",
                       "lipserve/v1/classifier.grpc.pb.h"):
            for room in ("server/operations", "client", "trainer/run"):
                self.assert_reports(
                    {"client/README.md": "client\n", f"{room}/x.h": SPDX + f"#include <{header}>\n"},
                    f"{room}/x.h:2", "only server/rpc/*")

    def test_accepts_messages_of_the_health_protocol(self):
        self.assertEqual(self.violations(
            {"server/operations/x.h": SPDX + '#include "grpc/health/v1/health.pb.h"\n'}), [])

    def test_reports_a_circle_of_folders_with_an_include_for_each_step(self):
        self.assert_reports(
            {"tests/model/x.h": SPDX + '#include "tests/server/y.h"\n',
             "tests/server/y.h": SPDX + '\n#include "tests/trainer/z.h"\n',
             "tests/trainer/z.h": SPDX + '#include "tests/model/network/w.h"\n',
             "tests/model/network/w.h": SPDX + '#include "tests/model/x.h"\n'},
            "tests/model/x.h:2",
            "tests/model -> tests/server (tests/model/x.h:2), "
            "tests/server -> tests/trainer (tests/server/y.h:3), "
            "tests/trainer -> tests/model/network (tests/trainer/z.h:2), "
            "tests/model/network -> tests/model (tests/model/network/w.h:2)")

    def test_reports_each_of_two_circles(self):
        found = self.violations(
            {"tests/a/x.h": SPDX + '#include "tests/b/x.h"\n',
             "tests/b/x.h": SPDX + '#include "tests/a/x.h"\n',
             "tests/c/x.h": SPDX + '#include "tests/d/x.h"\n#include "tests/a/x.h"\n',
             "tests/d/x.h": SPDX + '#include "tests/c/x.h"\n'})
        self.assertEqual([line.split(":")[0] for line in found], ["tests/a/x.h", "tests/c/x.h"])

    def test_reports_a_folder_with_too_many_units(self):
        def units(folder, count):
            return {f"{folder}/x{i}.h": SPDX for i in range(count)}
        self.assert_reports(units("server/calls", 25), "server/calls/", "25 units, at most 24")
        self.assert_reports(units("tests/fuzz", 25), "tests/fuzz/", "25 units, at most 24")
        self.assertEqual(self.violations(
            {**units("server/calls", 24), **units("trainer/layers", 25),
             **units("tests/trainer/layers", 25)}), [])

    def test_counts_a_header_and_its_source_once(self):
        sources = {f"server/calls/x{i}.{suffix}": SPDX for i in range(24) for suffix in ("h", "cc")}
        names = " ".join(f"x{i}.cc" for i in range(24))
        self.assertEqual(self.violations(
            {**sources, "server/calls/CMakeLists.txt": HASH_SPDX + f"add_library(c {names})\n"}), [])

    def test_reports_a_test_that_is_never_run(self):
        self.assert_reports(
            {"tests/model/CMakeLists.txt": HASH_SPDX + "# " + TEST_PROGRAM},
            "tests/model/network/a_test.cc", "is never run")

    def test_finds_a_test_in_any_build_file_above_it(self):
        for folder, name in (("tests/model/network", "a_test.cc"),
                             ("tests/model", "network/a_test.cc"),
                             ("tests", "model/network/a_test.cc")):
            self.assertEqual(self.violations(
                {"tests/model/CMakeLists.txt": None,
                 f"{folder}/CMakeLists.txt":
                 HASH_SPDX + f"lipserve_tests(m SOURCES\n  {name}\n  LINK m)\n"}), [])

    def test_reports_a_test_that_is_named_from_the_wrong_folder(self):
        self.assert_reports(
            {"tests/model/CMakeLists.txt": HASH_SPDX + "lipserve_tests(m SOURCES a_test.cc)\n"},
            "tests/model/network/a_test.cc", "is never run")

    def test_finds_a_registration_in_an_included_file(self):
        self.assertEqual(self.violations(
            {"tests/model/CMakeLists.txt": HASH_SPDX + "include(network.cmake)\n",
             "tests/model/network.cmake": HASH_SPDX + TEST_PROGRAM}), [])

    def test_reports_a_registration_in_a_file_that_is_not_included(self):
        self.assert_reports(
            {"tests/model/CMakeLists.txt": HASH_SPDX,
             "tests/model/network.cmake": HASH_SPDX + TEST_PROGRAM},
            "tests/model/network/a_test.cc", "is never run")

    def test_reports_a_test_that_mirrors_no_room(self):
        program = HASH_SPDX + "lipserve_tests(m SOURCES attic/x_test.cc)\n"
        self.assert_reports(
            {"tests/server/CMakeLists.txt": program, "tests/server/attic/x_test.cc": SPDX},
            "tests/server/attic/x_test.cc", "mirrors server/attic/")
        self.assert_reports(
            {"tests/verify/CMakeLists.txt": program, "tests/verify/attic/x_test.cc": SPDX},
            "tests/verify/attic/x_test.cc", "mirrors client/verify/attic/")
        self.assertEqual(self.violations(
            {"tests/fuzz/CMakeLists.txt": program, "tests/fuzz/attic/x_test.cc": SPDX}), [])

    def test_reports_a_source_that_is_never_built(self):
        self.assert_reports({"server/forgotten.cc": SPDX}, "server/forgotten.cc",
                            "no CMakeLists.txt above it names it")
        self.assert_reports(
            {"server/forgotten.cc": SPDX, "server/CMakeLists.txt":
             CLEAN_TREE["server/CMakeLists.txt"] + "# add_library(f forgotten.cc )\n"},
            "server/forgotten.cc", "no CMakeLists.txt above it names it")

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
        self.assertEqual(self.violations({"LICENSE": "Apache License\n"}), [])

    def test_reports_a_document_that_is_too_long(self):
        readme = "x\n" * (document_rules.MAX_README_LINES + 1)
        page = "x\n" * (document_rules.MAX_DOCUMENT_LINES + 1)
        self.assert_reports({"server/README.md": readme}, "server/README.md", "151 lines")
        self.assert_reports({".github/SECURITY.md": page}, ".github/SECURITY.md", "201 lines")
        self.assertEqual(self.violations({".github/SECURITY.md": readme}), [])
        self.assertEqual(self.violations({".github/CHANGELOG.md": page}), [])

    def test_reports_a_front_page_that_is_too_long(self):
        self.assert_reports({"README.md": "x\n" * 81}, "README.md", "81 lines, at most 80")

    def test_reports_a_front_page_that_is_too_wide(self):
        self.assert_reports({"README.md": "x\n" + "ü" * 121 + "\n"},
                            "README.md:2", "121 columns, at most 120")
        self.assertEqual(self.violations({"README.md": "ü" * 120 + "\n"}), [])

    def test_reports_a_link_that_leads_nowhere(self):
        for link in ("[a](missing.md)", "[a](../missing/)", "[a]: missing.md", "![a](<missing.png>)",
                     '<img alt="a" src="missing.png">', "[a](metrics.cc#L3)"):
            self.assert_reports({"server/README.md": f"text\n{link}\n"},
                                "server/README.md:2", "does not exist")

    def test_reports_a_link_to_a_heading_that_is_not_there(self):
        self.assert_reports({"server/README.md": "# Flags\n[a](#options)\n"},
                            "server/README.md:2", "no such heading")
        self.assert_reports({"server/README.md": "[a](../model/README.md#speed)\n"},
                            "server/README.md:1", "no such heading")

    def test_accepts_links_that_lead_somewhere(self):
        self.assertEqual(self.violations({"server/README.md":
            "# Flags, `--port` and more\n"
            "[a](operations/metrics.cc) [b](../model) [c](../model/) [d](..)\n"
            "[e](https://example.org/x.md) [f](mailto:a@example.org)\n"
            "[g](#flags---port-and-more)\n"
            "`[h](missing.md)`\n"
            "```\n[i](missing.md)\n```\n"}), [])


if __name__ == "__main__":
    unittest.main()
