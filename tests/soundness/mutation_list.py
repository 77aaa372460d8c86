# SPDX-License-Identifier: Apache-2.0
"""The mutations that mutations.py plants: known ways to be unsound, and the tests that must notice.

Order: the norms of layers, single terms of the lemmas, the certificate, the evaluations, the way to
the reader.
"""

from mutation import Mutation
from norm_mutations import NORM_MUTATIONS
from norm_term_mutations import NORM_TERM_MUTATIONS
from rounding_term_mutations import ROUNDING_TERM_MUTATIONS


MUTATIONS = NORM_MUTATIONS + NORM_TERM_MUTATIONS + ROUNDING_TERM_MUTATIONS + (
    Mutation(
        "the norms of hidden layers are left out of the product",
        "model/certificate/network_bounds.cc",
        ".lipschitz = x.lipschitz * bounds.operator_norm,",
        ".lipschitz = bounds.operator_norm,",
        ("adversarial_models_test",),
    ),
    Mutation(
        "the norm of a pair of scores is that of one row",
        "model/certificate/row_pairs.cc",
        "difference[k] = number(i, k) - number(j, k);",
        "difference[k] = number(i, k);",
        ("adversarial_models_test",),
    ),
    Mutation(
        "prototypes are as far apart as one of them is long",
        "model/certificate/row_pairs.cc",
        "const Upper sum = norms_[i] + norms_[j];",
        "const Upper sum = norms_[i];",
        ("prototype_certificate_test",),
    ),
    Mutation(
        "only the first prototype of another class limits the radius",
        "model/certificate/certificate.cc",
        "    if (pairs.ClassOf(j) == chosen) continue;\n    Certificate pair",
        "    if (pairs.ClassOf(j) == chosen || j % pairs.rows_per_class() > 0) continue;\n"
        "    Certificate pair",
        ("prototype_certificate_test",),
    ),
    Mutation(
        "the prototype that wins is the first of its class",
        "model/certificate/certificate.cc",
        "return chosen * count + LargestScore(scores.subspan(chosen * count, count));",
        "return chosen * count + 0 * scores.size();",
        ("prototype_certificate_test",),
    ),
    Mutation(
        "sums of squares are taken to be exact",
        "model/arithmetic/vector_norm.cc",
        "return Upper(1.0 + static_cast<double>(size + 8) * 0x1p-52);",
        "return Upper(1.0 + static_cast<double>(size) * 0.0);",
        ("vector_norm_test",),
    ),
    Mutation(
        "bounds round to nearest",
        "model/arithmetic/outward_rounding.h",
        "return Upper(std::bit_cast<double>(std::bit_cast<std::uint64_t>(nearest + 0.0) + 1));",
        "return Upper(nearest);",
        ("outward_rounding_test",),
    ),
    Mutation(
        "rounding inside the network is ignored",
        "model/certificate/certificate.cc",
        "return Gamma(static_cast<double>(layer.fan_in + 1), UnitRoundoff(arithmetic));",
        "return Upper(0.0) * Gamma(static_cast<double>(layer.fan_in + 1), "
        "UnitRoundoff(arithmetic));",
        ("certificate_test", "rounding_error_test"),
    ),
    Mutation(
        "float32 scores are trusted like float64 ones",
        "model/certificate/certificate.cc",
        "return arithmetic == Arithmetic::kFloat32 ? kUnitRoundoff32 : kUnitRoundoff64;",
        "return arithmetic == Arithmetic::kFloat32 ? kUnitRoundoff64 : kUnitRoundoff64;",
        ("certificate_test", "adversarial_models_test"),
    ),
    Mutation(
        "the error at the centre is not taken off its margin",
        "model/certificate/certificate.cc",
        "SubtractDown(SubtractDown(Score(scores, best), Score(scores, j)), error.value());",
        "SubtractDown(SubtractDown(Score(scores, best), Score(scores, j)), 0.0 * error.value());",
        ("certificate_test", "adversarial_models_test"),
    ),
    Mutation(
        "the bias is not counted as a term of the sum (N = n)",
        "model/certificate/certificate.cc",
        "static_cast<double>(layer.fan_in + 1)",
        "static_cast<double>(layer.fan_in)",
        ("rounding_error_test",),
    ),
    Mutation(
        "underflow is ignored",
        "model/certificate/certificate.cc",
        "const Upper two_lambda(2.0 * kSmallestNormal32);",
        "const Upper two_lambda(0.0 * kSmallestNormal32);",
        ("rounding_error_test",),
    ),
    Mutation(
        "overflow in float32 is ignored",
        "model/certificate/certificate.cc",
        "if (!(largest.value() < 0x1p127)) return true;",
        "if (!(largest.value() >= 0.0)) return true;",
        ("certificate_test",),
    ),
    Mutation(
        "only the runner-up class is considered",
        "model/certificate/certificate.cc",
        "    least.margin_lower_bound = std::min(",
        "    if (pair.margin_lower_bound > least.margin_lower_bound) continue;\n"
        "    least.margin_lower_bound = std::min(",
        ("certificate_test",),
    ),
    Mutation(
        "the class is float32's argmax while the radius is float64's",
        "model/certified_model.cc",
        "answer.class_index = decided ? *decided",
        "answer.class_index = true ? certifier.LargestClass(scores32)",
        ("adversarial_models_test",),
    ),
    Mutation(
        "what float64 cannot decide, its largest score does",
        "model/certified_model.cc",
        "if (!decided) decided = exact(inputs.row(row));",
        "if (!decided) decided = (static_cast<void>(exact), certifier.LargestClass(scores64));",
        ("certified_model_test", "adversarial_models_test"),
    ),
    Mutation(
        "what the exact stage rounds does not grow with the norms of layers",
        "model/certificate/exact_decision.cc",
        "passed = Product(FromDouble(lipschitz[layer]), passed);",
        "passed = Product(FromDouble(1.0), passed);",
        ("exact_decision_test",),
    ),
    Mutation(
        "many numbers that the exact stage rounds err as one",
        "model/certificate/exact_decision.cc",
        "SqrtUp(Upper(static_cast<double>(rounding.count))).value()",
        "SqrtUp(Upper(static_cast<double>(rounding.count > 0 ? 1 : 0))).value()",
        ("exact_decision_test",),
    ),
    Mutation(
        "of a sum, the exact stage's error in one value only counts",
        "model/certificate/exact_decision.cc",
        "return sum == nullptr ? error : Sum(error, errors[sum->other]);",
        "return error;",
        ("exact_decision_test",),
    ),
    Mutation(
        "roots of the exact stage are taken to be exact",
        "model/execution/exact_pooling.cc",
        "run.AddRounding(rounded, y.exponent);",
        "run.AddRounding(0 * rounded, y.exponent);",
        ("exact_decision_test",),
    ),
    Mutation(
        "few bits decide margins that the roots of the exact stage may hide",
        "model/certificate/exact_decision.cc",
        "constexpr int kLeastMarginExponent = -1500;",
        "constexpr int kLeastMarginExponent = -15000;",
        ("exact_decision_test",),
    ),
    Mutation(
        "a tie of equal rows ignores the other rows of its class",
        "model/certificate/certificate.cc",
        "    if (pairs.FirstEqual(j) == pairs.FirstEqual(best)) continue;",
        "    if (pairs.FirstEqual(j) == pairs.FirstEqual(best) ||\n"
        "        pairs.ClassOf(j) == pairs.ClassOf(best)) {\n      continue;\n    }",
        ("exact_decision_test",),
    ),
    Mutation(
        "rows are equal if their weights are",
        "model/certificate/row_pairs.cc",
        "k <= layer_.inputs; ++k",
        "k < layer_.inputs; ++k",
        ("exact_decision_test",),
    ),
    Mutation(
        "a part of a weight below the first plane is dropped",
        "model/execution/exact_products.cc",
        "for (std::size_t plane = 1; rest != 0.0; ++plane) {",
        "for (std::size_t plane = 1; rest > 1.0; ++plane) {",
        ("exact_products_test",),
    ),
    Mutation(
        "the caller's floating-point environment is kept",
        "model/arithmetic/outward_rounding.h",
        "    std::fesetenv(FE_DFL_ENV);\n",
        "",
        ("outward_rounding_test", "certified_model_test"),
    ),
    Mutation(
        "the radius is rounded to the nearest float32",
        "server/protocols/classifier_codec.cc",
        "classification.set_certified_radius_l2(proven.radius_l2);",
        "classification.set_certified_radius_l2(\n"
        "    static_cast<double>(static_cast<float>(proven.radius_l2)));",
        ("request_codec_test",),
    ),
    Mutation(
        "quotients round to nearest",
        "model/arithmetic/outward_rounding.h",
        "return std::nextafter(std::fmin(quotient, std::numeric_limits<double>::max()), 0.0);",
        "return std::fmin(quotient, std::numeric_limits<double>::max());",
        ("outward_rounding_test",),
    ),
    Mutation(
        "pixel radii are input radii times the divisor",
        "model/network/pixel_scaling.cc",
        "steepest_step_ = std::max(steepest_step_, step);",
        "steepest_step_ = 1.0 / divisor + 0.0 * step;",
        ("pixel_scaling_test",),
    ),
    Mutation(
        "squared pixel radii round to nearest",
        "model/network/pixel_scaling.cc",
        "return static_cast<std::uint64_t>((significand * significand) >> (2 * scale));",
        "return static_cast<std::uint64_t>(radius * radius + 0.5);",
        ("pixel_scaling_test",),
    ),
    Mutation(
        "stages that contradict each other are certified",
        "model/certificate/certificate.cc",
        "if (!(gap <= allowed.value())) return false;",
        "if (!(gap <= allowed.value())) return true;",
        ("certificate_test", "certified_model_test"),
    ),
    Mutation(
        "scores of the two evaluations are not compared",
        "model/certified_model.cc",
        "!certifier.AreConsistent(answer.class_index, scores32, norms32, scores64, norms64);",
        "false;",
        ("memory_fault_test",),
    ),
    Mutation(
        "oneDNN computes in bf16",
        "model/execution/onednn_engine.cc",
        "bias_(bias.begin(), bias.end()) {}",
        # What oneDNN's bf16 math mode would do; this CPU may not support that mode.
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
