#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants known ways to be unsound, one at a time, in a copy of the tree, and says whether the tests
notice each. Exit code 0 only if every mutation made some test fail.

    tests/soundness/mutations.py [--keep FOLDER] [--only NAME ...]
"""

import argparse
import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass(frozen=True)
class Mutation:
    name: str
    file: str
    old: str
    new: str
    tests: tuple


MUTATIONS = (
    Mutation(
        "every layer's norm is taken to be 1",
        "model/certificate/network_bounds.cc",
        "bounds.operator_norm = Upper(dense.claimed_operator_norm_bound);",
        "bounds.operator_norm = Upper(1.0);",
        ("certificate_test", "certified_model_test"),
    ),
    Mutation(
        "a claimed norm is believed without proof",
        "model/certificate/network_bounds.cc",
        "if (ProveOperatorNormAtMost(w, dense.claimed_operator_norm_bound)) return",
        "if (ProveOperatorNormAtMost(w, 1e9)) return",
        ("certified_model_test",),
    ),
    Mutation(
        "the norm is a power iteration's estimate, four steps",
        "model/certificate/operator_norm.cc",
        "if (!FactoriseCholesky(b, p)) return std::nullopt;",
        "if (c < gram.LargestEigenvalueEstimate(4)) return std::nullopt;",
        ("operator_norm_test",),
    ),
    Mutation(
        "the rounding error of the Gram matrix is dropped",
        "model/certificate/operator_norm.cc",
        "return gamma * DivideUp(trace, 1.0 - 2.0 * gamma.value());",
        "return Upper(0.0) * DivideUp(trace, 1.0 - 2.0 * gamma.value());",
        ("operator_norm_test",),
    ),
    Mutation(
        "the rounding error of the factorisation is dropped",
        "model/certificate/operator_norm.cc",
        "return Upper(kUnitRoundoff64) * largest + g * trace + Upper(kCholeskyUnderflow) +",
        "return Upper(kUnitRoundoff64) * largest + Upper(0.0) * g * trace +",
        ("operator_norm_test",),
    ),
    Mutation(
        "weights are rounded to five decimals before their norm",
        "model/certificate/operator_norm.cc",
        "scaled[i] = std::ldexp(static_cast<double>(a[i]), 2 * exponent_);",
        "scaled[i] = std::ldexp(std::round(static_cast<double>(a[i]) * 1e5) * 1e-5, "
        "2 * exponent_);",
        ("operator_norm_test",),
    ),
    Mutation(
        "rounding inside the network is ignored",
        "model/certificate/certificate.cc",
        "return Gamma(static_cast<double>(layer.inputs + 1), UnitRoundoff(arithmetic));",
        "return Upper(0.0) * Gamma(static_cast<double>(layer.inputs + 1), "
        "UnitRoundoff(arithmetic));",
        ("certificate_test", "rounding_error_test"),
    ),
    Mutation(
        "the bias is not counted as a term of the sum (N = n)",
        "model/certificate/certificate.cc",
        "static_cast<double>(layer.inputs + 1)",
        "static_cast<double>(layer.inputs)",
        ("rounding_error_test",),
    ),
    Mutation(
        "underflow is ignored",
        "model/certificate/certificate.cc",
        "return Upper(2.0 * kSmallestNormal32) *",
        "return Upper(0.0) *",
        ("rounding_error_test",),
    ),
    Mutation(
        "overflow in float32 is ignored",
        "model/certificate/certificate.cc",
        "return largest.value() < 0x1p127;",
        "return largest.value() >= 0.0;",
        ("certificate_test",),
    ),
    Mutation(
        "only the runner-up class is considered",
        "model/certificate/certificate.cc",
        "    margin = std::min(margin, pair_margin);\n    radius =",
        "    if (pair_margin > margin) continue;\n    margin = pair_margin;\n    radius =",
        ("certificate_test",),
    ),
    Mutation(
        "the class is float32's argmax while the radius is float64's",
        "model/certified_model.cc",
        "by_float64 ? *by_float64 : impl_->exact.ClassOf(inputs.row(row));",
        "Certifier::LargestScore(std::vector<double>(\n"
        "      worker.scores32.begin() + static_cast<long>(row * impl_->num_scores),\n"
        "      worker.scores32.begin() + static_cast<long>((row + 1) * impl_->num_scores)));",
        ("certified_model_test",),
    ),
    Mutation(
        "the radius is rounded to the nearest float32",
        "server/request_codec.cc",
        "classification.set_certified_radius_l2(radius);",
        "classification.set_certified_radius_l2(static_cast<double>(static_cast<float>(radius)));",
        ("request_codec_test",),
    ),
    Mutation(
        "quotients round to nearest",
        "model/certificate/outward_rounding.h",
        "return std::nextafter(std::fmin(quotient, std::numeric_limits<double>::max()), 0.0);",
        "return std::fmin(quotient, std::numeric_limits<double>::max());",
        ("outward_rounding_test",),
    ),
    Mutation(
        "pixel radii are input radii times the divisor",
        "model/certificate/pixel_scaling.cc",
        "steepest_step_ = std::max(steepest_step_, step);",
        "steepest_step_ = 1.0 / divisor + 0.0 * step;",
        ("pixel_scaling_test",),
    ),
    Mutation(
        "oneDNN computes in bf16",
        "model/execution/onednn_engine.cc",
        "bias_(bias.begin(), bias.end()) {}",
        "bias_(bias.begin(), bias.end()) {\n"
        "  for (float& w : plain_) {\n"
        "    unsigned bits = 0;\n"
        "    __builtin_memcpy(&bits, &w, 4);\n"
        "    bits &= 0xFFFF0000U;\n"
        "    __builtin_memcpy(&w, &bits, 4);\n"
        "  }\n"
        "}",
        ("onednn_test", "certified_model_test"),
    ),
    Mutation(
        "the float64 kernel depends on the batch",
        "model/execution/chained_products.cc",
        "function()(tile);",
        "function()(tile);\n      if (step == 4) tile.y[0] += 1e-13 * tile.y[0];",
        ("dense_float64_test", "certified_model_test"),
    ),
    Mutation(
        "a radius is printed rounded to six digits",
        "client/directed_decimal.cc",
        "return text.substr(0, decimals == 0 ? point : point + 1 + "
        "static_cast<std::size_t>(decimals));",
        'return absl::StrFormat("%.*f", decimals, std::strtod(text.c_str(), nullptr)).substr(\n'
        "      0, text.find('.') == point ? std::string::npos : 0);",
        ("directed_decimal_test",),
    ),
)


def run(command, folder, quiet=True):
    output = subprocess.PIPE if quiet else None
    return subprocess.run(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, text=True)


def copy_tree(source, target):
    listed = subprocess.run(["git", "ls-files"], cwd=source, capture_output=True, text=True,
                            check=True).stdout.splitlines()
    for name in listed:
        if not (source / name).is_file() or name.startswith("data/"):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)


def build(tree, targets):
    return run(["cmake", "--build", "build/dev", "--target", *targets], tree)


def failing_tests(tree, tests):
    return [test for test in tests if run([f"build/dev/bin/{test}"], tree).returncode != 0]


def try_mutation(tree, mutation):
    """Returns (caught, what happened)."""
    path = tree / mutation.file
    original = path.read_text()
    if original.count(mutation.old) != 1:
        return False, f"{mutation.file}: expected the text to mutate once; update this script"
    path.write_text(original.replace(mutation.old, mutation.new))
    try:
        built = build(tree, mutation.tests)
        if built.returncode != 0:
            return False, "does not compile:\n" + built.stdout[-2000:]
        failed = failing_tests(tree, mutation.tests)
        return bool(failed), "caught by " + ", ".join(failed) if failed else "NOT CAUGHT"
    finally:
        path.write_text(original)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", help="work in this folder and keep it (quicker the second time)")
    parser.add_argument("--only", nargs="+", help="names, or parts of them")
    arguments = parser.parse_args()
    chosen = [m for m in MUTATIONS
              if not arguments.only or any(part in m.name for part in arguments.only)]
    source = pathlib.Path(__file__).resolve().parents[2]
    folder = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="lipserve_mutations_"))
    try:
        copy_tree(source, folder)
        tests = sorted({test for mutation in chosen for test in mutation.tests})
        configured = run(["cmake", "--preset", "dev", "-DCMAKE_CXX_FLAGS=-O1 -Wno-error"], folder)
        built = build(folder, tests) if configured.returncode == 0 else configured
        if built.returncode != 0:
            print(built.stdout[-3000:])
            return 1
        if failed := failing_tests(folder, tests):
            print("the tree as it is already fails: " + ", ".join(failed))
            return 1
        survivors = 0
        for mutation in chosen:
            begin = time.monotonic()
            caught, what = try_mutation(folder, mutation)
            survivors += not caught
            print(f"{'ok  ' if caught else 'FAIL'} {mutation.name}: {what} "
                  f"({time.monotonic() - begin:.0f} s)", flush=True)
        print(f"{len(chosen) - survivors} of {len(chosen)} mutations caught")
        return 0 if survivors == 0 else 1
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
