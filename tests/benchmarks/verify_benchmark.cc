// SPDX-License-Identifier: Apache-2.0
// What checking costs: the proofs of lipserve-verify and its exact scores, in processor time of one
// thread.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "client/verify/exact_evaluation.h"
#include "client/verify/norms/operator_norm_proof.h"
#include "model/certificate/operator_norm.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_rows.h"
#include "tests/verify/separable_convolution.h"

namespace lipserve::verify {
namespace {

// What freezing leaves between a norm and its claim, and more than circles lose.
constexpr double kFrozenSlack = 1.5e-11;
constexpr double kCircleSlack = 0.02;

template <typename Work>
double SecondsOf(const Work& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

void ReportProof(const char* how, const Layer& layer) {
  BoundVerdict verdict = BoundVerdict::kNotConfirmed;
  const double seconds = SecondsOf([&] { verdict = ExamineNormClaim(layer); });
  absl::PrintF("%-58s %-18s %-10s %8.2f s\n", Describe(layer), how,
               verdict == BoundVerdict::kProven ? "proven" : "NOT PROVEN", seconds);
}

ExactVector Numbers(const std::vector<float>& values) {
  return FromBinary32(std::string(reinterpret_cast<const char*>(values.data()), 4 * values.size()),
                      Binary32Rule::kFinite)
      .value();
}

Dense OrthonormalDense(std::size_t outputs, std::size_t inputs) {
  std::mt19937_64 random(1);
  const std::vector<float> weights = OrthonormalRows(random, outputs, inputs);
  const double claim = BoundOperatorNorm({weights.data(), outputs, inputs}).value();
  return {.inputs = inputs,
          .outputs = outputs,
          .weights = Numbers(weights),
          .bias = {},
          .claimed_norm = FromBinary64(std::bit_cast<std::uint64_t>(claim)).value()};
}

// Scores of float32 pixels through a convolution, a sort, a pooling and a dense layer.
void ReportScores(const char* name, std::size_t channels, const Layer& pool) {
  std::mt19937_64 random(2);
  Model model{.name = name, .pixels = PixelTable::Create(255).value()};
  Convolution convolution = SeparableConvolution(channels, 28, kFrozenSlack);
  convolution.weights = Numbers(RandomFloats(random, channels * channels * 9, 0.1));
  model.input_shape = convolution.input;
  const std::size_t features = channels * 14 * 14;
  model.layers = {convolution, GroupSort{.group_size = 2}, pool, Flatten{},
                  Dense{.inputs = features,
                        .outputs = 10,
                        .weights = Numbers(RandomFloats(random, 10 * features, 0.1)),
                        .bias = {},
                        .claimed_norm = {}}};
  const ExactVector input = Numbers(RandomFloats(random, model.input_size(), 0.5));
  constexpr int kCalls = 5;
  const double seconds = SecondsOf([&] {
    for (int call = 0; call < kCalls; ++call) ScoresOf(model, input);
  });
  absl::PrintF("%-88s %8.0f ms\n", name, 1000.0 * seconds / kCalls);
}

void Run() {
  ReportProof("on the image", SeparableConvolution(8, 28, kFrozenSlack));
  ReportProof("on the image", SeparableConvolution(16, 28, kFrozenSlack));
  ReportProof("on the image", SeparableConvolution(32, 14, kFrozenSlack));
  ReportProof("on circles", SeparableConvolution(16, 28, kCircleSlack));
  ReportProof("on circles", SeparableConvolution(64, 32, kCircleSlack));
  ReportProof("", OrthonormalDense(512, 784));
  const AveragePool average{
      .window_height = 2, .window_width = 2, .scale = {.number = 1, .exponent = -1}};
  const L2NormPool l2_norm{.window_height = 2, .window_width = 2};
  ReportScores("scores: 8 channels, 28x28, 3x3, average pooling", 8, average);
  ReportScores("scores: 16 channels, 28x28, 3x3, average pooling", 16, average);
  ReportScores("scores: 16 channels, 28x28, 3x3, L2-norm pooling", 16, l2_norm);
}

}  // namespace
}  // namespace lipserve::verify

int main() { lipserve::verify::Run(); }
