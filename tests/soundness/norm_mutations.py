# SPDX-License-Identifier: Apache-2.0
"""Mutations of what a layer's norm is proven to be: dense layers, then convolutions and pools."""

from mutation import Mutation

NORM_MUTATIONS = (
    Mutation(
        "every layer's norm is taken to be 1",
        "model/certificate/layer_bounds.cc",
        "bounds.operator_norm = Upper(dense.claimed_operator_norm_bound);",
        "bounds.operator_norm = Upper(1.0);",
        ("adversarial_models_test", "certified_model_test"),
    ),
    Mutation(
        "an activation is taken to be 1-Lipschitz whatever its slopes",
        "model/certificate/layer_bounds.cc",
        "largest = Max(largest, Upper(std::fabs(static_cast<double>(slope))));",
        "largest = Max(largest, Upper(0.0 * std::fabs(static_cast<double>(slope))));",
        ("activation_test",),
    ),
    Mutation(
        "a reflection is taken to be 1-Lipschitz however long its direction",
        "model/certificate/layer_bounds.cc",
        "return Max(Upper(1.0), SubtractUp(squares, 1.0));",
        "return Max(Upper(1.0), SubtractUp(Upper(0.0) * squares, 1.0));",
        ("activation_test", "certified_model_test"),
    ),
    Mutation(
        "the claim inside a convex potential is believed without proof",
        "model/certificate/layer_bounds.cc",
        "[&](const auto& inner) { return CheckNorm(inner, limits); }",
        "[](const auto& /*inner*/) { return absl::OkStatus(); }",
        ("convex_potential_test",),
    ),
    Mutation(
        "only the first half of a convex potential is taken to round",
        "model/certificate/layer_bounds.cc",
        "const Upper absolute = Upper(1.0) + norm * norm;",
        "const Upper absolute = Upper(1.0) + Upper(0.0) * norm;",
        ("convex_potential_test",),
    ),
    Mutation(
        "the adjoint of a convolution forgets to turn its padding round",
        "model/network/adjoint.cc",
        "std::swap(axis.padding_before, axis.padding_after);",
        "std::swap(axis.padding_before, axis.padding_before);",
        ("convex_potential_test", "layer_evaluation_test"),
    ),
    Mutation(
        "a claimed norm is believed without proof",
        "model/certificate/layer_bounds.cc",
        "return AddClaimToError(ProveOperatorNormAtMost(WeightsOf(dense), claim, limits), claim);",
        "return AddClaimToError(ProveOperatorNormAtMost(WeightsOf(dense), 1e9, limits), claim);",
        ("certified_model_test",),
    ),
    Mutation(
        "a convolution's claimed norm is believed without proof",
        "model/certificate/layer_bounds.cc",
        "return AddClaimToError(ProveConvolutionNormAtMost(convolution, claim, limits), claim);",
        "return AddClaimToError(ProveConvolutionNormAtMost(convolution, 1e9, limits), claim);",
        ("network_bounds_test",),
    ),
    Mutation(
        "the norm is a power iteration's estimate, four steps",
        "model/certificate/operator_norm.cc",
        "return FactoriseCholesky(b, stop());",
        "const SymmetricMap map = [&](std::span<const double> x, std::span<double> y) {\n"
        "  for (std::size_t i = 0; i < p_; ++i) {\n"
        "    y[i] = c * x[i];\n"
        "    for (std::size_t j = 0; j < p_; ++j) {\n"
        "      y[i] -= b.at(std::min(i, j), std::max(i, j)) * x[j];\n"
        "    }\n"
        "  }\n"
        "};\n"
        "return c >= LargestEigenvalueEstimate(p_, map, 4);",
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
        "model/certificate/norm_proof.cc",
        "(by_trace.value() < by_row.value() ? by_trace : by_row) + Upper(kCholeskyUnderflow);",
        "Upper(kCholeskyUnderflow);",
        ("norm_proof_test",),
    ),
    Mutation(
        "weights are rounded to five decimals before their norm",
        "model/certificate/operator_norm.cc",
        "scaled[i] = std::ldexp(static_cast<double>(a[first * q_ + i]), exponent);",
        "scaled[i] = std::ldexp(std::round(static_cast<double>(a[first * q_ + i]) * 1e5) * 1e-5, "
        "exponent);",
        ("operator_norm_test",),
    ),
    Mutation(
        "a torus of the image's own size is taken to hold its zero padding (N = H)",
        "model/certificate/circular_embedding.cc",
        "return RoundUp(std::max(length + padding, by_outputs), axis.stride);",
        "return RoundUp(std::max(length, by_outputs), axis.stride);",
        ("convolution_norm_test",),
    ),
    Mutation(
        "a pixel is taken to be read k / s times, not ceil(k / s)",
        "model/certificate/window_reads.cc",
        "    most_reads_ = std::max(most_reads_, reads.size());\n",
        "    most_reads_ = std::max<std::size_t>(axis.size / axis.stride, 1);\n",
        ("convolution_norm_test",),
    ),
    Mutation(
        "the rounding error of a convolution's Gram matrix is dropped",
        "model/certificate/convolution_gram.cc",
        "return slack + gram_error_;",
        "return slack;",
        ("convolution_norm_test",),
    ),
    Mutation(
        "the row bound takes a pixel to be read once",
        "model/certificate/layer_bounds.cc",
        "Root(vertical.most_reads_by_one_output() * horizontal.most_reads_by_one_output()) *",
        "Root(vertical.most_reads() / vertical.most_reads()) *",
        ("layer_bounds_test",),
    ),
    Mutation(
        "the factor of a flat kernel is the reads of an average pixel (deel-lip)",
        "model/certificate/convolution_norm.cc",
        "static_cast<double>(vertical.most_reads() * horizontal.most_reads())",
        "static_cast<double>(layer.fan_in() * layer.output().size()) /\n"
        "static_cast<double>(layer.input.size() * layer.output_channels)",
        ("convolution_norm_test",),
    ),
    Mutation(
        "the factor of a flat kernel is k / s without ceil",
        "model/certificate/convolution_norm.cc",
        "static_cast<double>(vertical.most_reads() * horizontal.most_reads())",
        "static_cast<double>(layer.vertical.size * layer.horizontal.size) /\n"
        "static_cast<double>(layer.vertical.stride * layer.horizontal.stride)",
        ("convolution_norm_test",),
    ),
    Mutation(
        "the errors of the embedding's coefficients are dropped",
        "model/certificate/circular_embedding.cc",
        "  entry_error_ = Gamma(",
        "  entry_error_ = Upper(0.0) * Gamma(",
        ("convolution_norm_test",),
    ),
    Mutation(
        "the errors of the embedding's Gram matrices are dropped",
        "model/certificate/circular_embedding.cc",
        "gamma * DivideUp(Upper(static_cast<double>(p)) * Upper(c), 1.0 - 2.0 * gamma.value());",
        "Upper(0.0) * gamma *\n"
        "DivideUp(Upper(static_cast<double>(p)) * Upper(c), 1.0 - 2.0 * gamma.value());",
        ("convolution_norm_test",),
    ),
    Mutation(
        "every padding is proven as zero padding",
        "model/certificate/window_reads.cc",
        "const auto source = SourcePosition(axis, mode, length, output, tap);",
        "const auto source = SourcePosition(axis, PaddingMode::kZero,\n"
        "    length + 0 * static_cast<std::size_t>(mode), output, tap);",
        ("convolution_norm_test", "layer_bounds_test"),
    ),
    Mutation(
        "only the first group of channels is proven",
        "model/certificate/convolution_gram.cc",
        "  for (std::size_t g = 0; g < layer_.groups; ++g) {\n    SymmetricBand b",
        "  for (std::size_t g = 0; g < 1; ++g) {\n    SymmetricBand b",
        ("convolution_norm_test",),
    ),
    Mutation(
        "a pixel that several taps read counts once",
        "model/certificate/convolution_gram.cc",
        "          cell.push_back({",
        "          if (cell.empty() || cell.back().index != Index(row.position, column.position))\n"
        "            cell.push_back({",
        ("convolution_norm_test",),
    ),
    Mutation(
        "the errors of Gram iteration are dropped",
        "model/certificate/gram_iteration.cc",
        "const Upper error = gamma * norm * norm + Upper(kUnderflow);",
        "const Upper error = Upper(0.0) * gamma * norm * norm + Upper(kUnderflow);",
        ("gram_iteration_test",),
    ),
    Mutation(
        "two methods that disagree about a norm are believed",
        "model/certificate/operator_norm.cc",
        "if (larger <= smaller * (1.0 + kAgreement)) return smaller;",
        "if (larger <= smaller * (1.0 + kAgreement) || smaller >= 0.0) return smaller;",
        ("operator_norm_test",),
    ),
    Mutation(
        "taps of opposite sign cancel in the bound of magnitudes",
        "model/certificate/absolute_norm.cc",
        "ConvolutionOperator::Taps::kAbsolute",
        "ConvolutionOperator::Taps::kSigned",
        ("layer_bounds_test",),
    ),
    Mutation(
        "a convolution's bias is counted at one position",
        "model/certificate/layer_bounds.cc",
        "bounds.bias_norm = Root(output.height * output.width) * bounds.bias_norm;",
        "bounds.bias_norm = Root(output.height * output.width) * Upper(0.0) + bounds.bias_norm;",
        ("layer_bounds_test",),
    ),
    Mutation(
        "every average pool is taken to be 1-Lipschitz",
        "model/certificate/layer_bounds.cc",
        "          .operator_norm = norm,\n          .absolute_norm = norm,\n"
        "          .bias_norm = Upper(),\n          // It is",
        "          .operator_norm = Upper(1.0),\n          .absolute_norm = norm,\n"
        "          .bias_norm = Upper(),\n          // It is",
        ("layer_bounds_test",),
    ),
    Mutation(
        "a max pool whose windows overlap is taken to be 1-Lipschitz",
        "model/certificate/layer_bounds.cc",
        "const Upper norm = Root(vertical.most_reads() * horizontal.most_reads());",
        "const Upper norm = Root(vertical.most_reads() * horizontal.most_reads() > 0 ? 1 : 0);",
        ("branch_bounds_test",),
    ),
    Mutation(
        "a clip is taken not to raise norms",
        "model/certificate/layer_bounds.cc",
        ".bias_norm = Root(outputs) * of_zero,",
        ".bias_norm = Upper(),",
        ("branch_bounds_test",),
    ),
    Mutation(
        "a sum is as steep as its steeper value",
        "model/certificate/network_bounds.cc",
        "x.lipschitz = x.lipschitz + z.lipschitz;",
        "x.lipschitz = Max(x.lipschitz, z.lipschitz);",
        ("branch_bounds_test",),
    ),
    Mutation(
        "a sum is as large as its larger value",
        "model/certificate/network_bounds.cc",
        "x.largest_norm = x.largest_norm + z.largest_norm;",
        "x.largest_norm = Max(x.largest_norm, z.largest_norm);",
        ("branch_bounds_test",),
    ),
    Mutation(
        "layers other than dense ones are left out of the product",
        "model/certificate/network_bounds.cc",
        ".lipschitz = x.lipschitz * bounds.operator_norm,",
        ".lipschitz = std::holds_alternative<DenseLayer>(layer) ? x.lipschitz * bounds.operator_norm"
        " : x.lipschitz,",
        ("network_bounds_test",),
    ),
    Mutation(
        "the fixed point behind an L2-norm pool may overflow",
        "model/certificate/network_bounds.cc",
        "if (has_root && !(y.exact_error.value() < 0x1p500)) {",
        "if (has_root && !(y.exact_error.value() >= 0.0)) {",
        ("network_bounds_test",),
    ),
    Mutation(
        "the embedding forgets dilation",
        "model/certificate/circular_embedding.cc",
        "const std::size_t y = v * vertical.dilation;",
        "const std::size_t y = v;",
        ("convolution_norm_test",),
    ),
    Mutation(
        "the embedding looks at half of the frequencies",
        "model/certificate/circular_embedding.cc",
        "for (std::size_t y = 0; y < steps_y_; ++y) {",
        "for (std::size_t y = 0; y <= steps_y_ / 2; ++y) {",
        ("convolution_norm_test",),
    ),
    Mutation(
        "circular padding may wrap onto a shorter torus",
        "model/certificate/circular_embedding.cc",
        "mode == PaddingMode::kCircular && length % axis.stride == 0 && by_outputs <= length",
        "mode == PaddingMode::kCircular",
        ("convolution_norm_test",),
    ),
    Mutation(
        "a factorisation with a negative pivot passes",
        "model/certificate/banded_cholesky.cc",
        "if (!(pivot > 0.0) ||",
        "if (!(pivot > -1e300) ||",
        ("banded_cholesky_test",),
    ),
)
