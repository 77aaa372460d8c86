// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/certificate/certificate.h"
#include "model/execution/float64_network.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/evaluation/evaluate.h"

namespace lipserve::exchange {
namespace {

constexpr std::size_t kTogether = 3;      // the size of a batch
constexpr std::size_t kMostGiven = 6;     // of the user's samples
constexpr double kScoreTolerance = 1e-4;  // as the trainer's self-check, of the largest score

// Zeros, large numbers, random ones, then the user's first: a multiple of kTogether.
std::vector<float> Probes(std::size_t size, ConstMatrixView given) {
  constexpr float kLarge = 1000.0F;
  std::mt19937 random(1);
  std::uniform_real_distribution<float> unit(0.0F, 1.0F);
  std::normal_distribution<float> normal;
  std::vector<float> probes(size, 0.0F);
  const auto add = [&](auto number) {
    for (std::size_t i = 0; i < size; ++i) probes.push_back(number());
  };
  add([&] { return kLarge * normal(random); });
  add([&] { return unit(random); });
  add([&] { return unit(random); });
  add([&] { return normal(random); });
  add([&] { return 255.0F * unit(random); });
  const std::size_t count = std::min(given.rows / kTogether * kTogether, kMostGiven);
  for (std::size_t row = 0; row < count; ++row) {
    const auto sample = given.row(row);
    probes.insert(probes.end(), sample.begin(), sample.end());
  }
  return probes;
}

// The scores of the graph, `together` samples at a time.
absl::StatusOr<std::vector<double>> ScoresOfGraph(const Converted& converted,
                                                  std::span<const float> samples,
                                                  std::size_t together) {
  const std::size_t size = converted.layout.shape.size();
  std::vector<double> scores;
  for (std::size_t first = 0; first < samples.size(); first += together * size) {
    LIPSERVE_ASSIGN_OR_RETURN(
        const std::vector<Tensor> outputs,
        Evaluate(converted.graph,
                 ToGraphInput(converted, samples.subspan(first, together * size))));
    const auto* const numbers = std::get_if<std::vector<double>>(&outputs[0].values);
    if (numbers == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(converted.graph.file, ": expected scores as numbers, got integers"));
    }
    scores.insert(scores.end(), numbers->begin(), numbers->end());
  }
  return scores;
}

// The network at each sample, with what its proven errors need.
struct NetworkRun {
  std::vector<double> scores;  // [N, rows]
  std::vector<Upper> norms;    // [N, rounding layers]
};

NetworkRun RunNetwork(const FrozenNetwork& network, ConstMatrixView samples) {
  const Float64Network float64(network, 1);
  auto workspace = float64.NewWorkspace();
  const std::size_t rows = NumRows(network);
  NetworkRun run{.scores = std::vector<double>(samples.rows * rows),
                 .norms = std::vector<Upper>(samples.rows * float64.num_rounding_layers())};
  for (std::size_t n = 0; n < samples.rows; ++n) {
    float64.Run({samples.row(n).data(), 1, samples.cols}, workspace,
                std::span(run.scores).subspan(n * rows, rows),
                std::span(run.norms).subspan(n * float64.num_rounding_layers(),
                                             float64.num_rounding_layers()));
  }
  return run;
}

double LargestMagnitude(std::span<const double> numbers) {
  double largest = 0.0;
  for (const double number : numbers) largest = std::max(largest, std::abs(number));
  return largest;
}

// One sample in words.
std::string SampleText(std::size_t sample) {
  constexpr std::array kNames = {"zeros",
                                 "numbers up to some thousand",
                                 "numbers in [0, 1]",
                                 "other numbers in [0, 1]",
                                 "normal numbers",
                                 "numbers in [0, 255]"};
  return sample < kNames.size() ? absl::StrCat("a sample of ", kNames[sample])
                                : absl::StrCat("sample ", sample - kNames.size(), " of yours");
}

absl::Status Differs(const Converted& converted, std::size_t sample, const std::string& what,
                     double expected, double found) {
  return absl::InvalidArgumentError(
      absl::StrCat(converted.graph.file, ": the converted network at ", SampleText(sample), ": ",
                   what, ": expected ", expected, " as of the graph, got ", found,
                   "; nothing was written; please report this file"));
}

// Compares the scores of one sample.
absl::Status CompareSample(const Converted& converted, const Certifier& certifier,
                           std::size_t sample, std::span<const double> found,
                           std::span<const Upper> norms, std::span<const double> expected) {
  const std::size_t rows = found.size();
  const double tolerance = kScoreTolerance * std::max(1.0, LargestMagnitude(expected));
  const auto allowed = [&](std::size_t i, std::size_t j) {
    // Both evaluations round.
    const double twice =
        2.0 * certifier.ScoreDifferenceError(i, j, norms, Arithmetic::kFloat64).value();
    if (converted.rounded_weights == 0) return twice;
    // Weights are rounded as float32 products would be, at most.
    return twice + certifier.ScoreDifferenceError(i, j, norms, Arithmetic::kFloat32).value();
  };
  for (std::size_t i = 0; i < rows; ++i) {
    if (!(std::abs(found[i] - expected[i]) <= tolerance)) {
      return Differs(converted, sample, absl::StrCat("score ", i), expected[i], found[i]);
    }
    // A single score is compared with the constant 0.
    const std::size_t j = rows == 1 ? 1 : (i + 1) % rows;
    const double found_difference = found[i] - (rows == 1 ? 0.0 : found[j]);
    const double expected_difference = expected[i] - (rows == 1 ? 0.0 : expected[j]);
    if (!(std::abs(found_difference - expected_difference) <= allowed(i, j))) {
      return Differs(converted, sample, absl::StrCat("score ", i, " less the next one"),
                     expected_difference, found_difference);
    }
  }
  return absl::OkStatus();
}

// The class that outputs say.
std::size_t ClassOf(const Converted& converted, std::span<const double> outputs) {
  const auto& steps = converted.final_steps;
  if (!steps.empty() && steps.back() == FinalStep::kArgMax) {
    return static_cast<std::size_t>(std::llround(outputs[0]));
  }
  if (outputs.size() == 1) {
    const bool is_probability =
        std::find(steps.begin(), steps.end(), FinalStep::kSigmoid) != steps.end();
    return outputs[0] >= (is_probability ? 0.5 : 0.0) ? 0 : 1;
  }
  return static_cast<std::size_t>(std::max_element(outputs.begin(), outputs.end()) -
                                  outputs.begin());
}

// Compares the graph's scores of the same samples in two batches.
absl::Status CompareBatches(const Converted& converted, std::span<const double> alone,
                            std::span<const double> together) {
  const double tolerance = 1e-9 * std::max(1.0, LargestMagnitude(alone));
  for (std::size_t i = 0; i < alone.size(); ++i) {
    if (std::abs(alone[i] - together[i]) <= tolerance) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(converted.graph.file,
                     ": expected scores of a sample that do not depend on the other "
                     "samples of its batch, got ",
                     alone[i], " alone and ", together[i],
                     " among others; an operator mixes samples: export the model for one sample"));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<float> ToNetworkLayout(const InputLayout& layout, std::span<const float> samples) {
  std::vector<float> result(samples.begin(), samples.end());
  if (!layout.channels_last) return result;
  const std::size_t channels = layout.shape.channels;
  const std::size_t positions = layout.shape.height * layout.shape.width;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t sample = i / layout.shape.size();
    const std::size_t within = i % layout.shape.size();
    result[sample * layout.shape.size() + within % channels * positions + within / channels] =
        samples[i];
  }
  return result;
}

Tensor ToGraphInput(const Converted& converted, std::span<const float> samples) {
  const InputLayout& layout = converted.layout;
  std::vector<float> values(samples.begin(), samples.end());
  if (layout.channels_last) {
    const std::size_t channels = layout.shape.channels;
    const std::size_t positions = layout.shape.height * layout.shape.width;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::size_t sample = i / layout.shape.size();
      const std::size_t within = i % layout.shape.size();
      values[sample * layout.shape.size() + within % positions * channels + within / positions] =
          samples[i];
    }
  }
  Tensor input{.type = converted.graph.values[converted.graph.input].type,
               .dims = {static_cast<std::int64_t>(samples.size() / layout.shape.size())}};
  input.dims.insert(input.dims.end(), layout.dims.begin(), layout.dims.end());
  if (input.type == ElementType::kFloat64) {
    input.values = std::vector<double>(values.begin(), values.end());
  } else {
    input.values = std::move(values);
  }
  return input;
}

std::vector<double> ScoresOfNetwork(const FrozenNetwork& network, ConstMatrixView samples) {
  return RunNetwork(network, samples).scores;
}

absl::StatusOr<Deviation> CompareWithGraph(const Converted& converted, const NetworkBounds& bounds,
                                           ConstMatrixView given) {
  const std::size_t size = converted.layout.shape.size();
  const std::vector<float> probes = Probes(size, given);
  const std::size_t count = probes.size() / size;
  const std::size_t rows = NumRows(converted.network);
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<double> alone, ScoresOfGraph(converted, probes, 1));
  if (alone.size() != count * rows) {
    return absl::InvalidArgumentError(absl::StrCat(converted.graph.file, ": expected ", rows,
                                                   " scores of each sample, got ", alone.size(),
                                                   " of ", count));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<double> together,
                            ScoresOfGraph(converted, probes, kTogether));
  LIPSERVE_RETURN_IF_ERROR(CompareBatches(converted, alone, together));
  // In reverse order, every batch has other companions in other places.
  std::vector<float> reversed;
  for (std::size_t n = count; n-- > 0;) {
    reversed.insert(reversed.end(), probes.begin() + static_cast<std::ptrdiff_t>(n * size),
                    probes.begin() + static_cast<std::ptrdiff_t>((n + 1) * size));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<double> backwards,
                            ScoresOfGraph(converted, reversed, kTogether));
  std::vector<double> forwards(backwards.size());
  for (std::size_t i = 0; i < backwards.size(); ++i) {
    forwards[(count - 1 - i / rows) * rows + i % rows] = backwards[i];
  }
  LIPSERVE_RETURN_IF_ERROR(CompareBatches(converted, alone, forwards));

  const ScopedStrictFloatingPoint strict;
  const Certifier certifier(bounds);
  const NetworkRun run = RunNetwork(converted.network, {probes.data(), count, size});
  const std::size_t num_norms = run.norms.size() / count;
  Deviation deviation{.samples = count, .largest_score = LargestMagnitude(alone)};
  for (std::size_t n = 0; n < count; ++n) {
    const auto found = std::span(run.scores).subspan(n * rows, rows);
    const auto expected = std::span(alone).subspan(n * rows, rows);
    LIPSERVE_RETURN_IF_ERROR(CompareSample(converted, certifier, n, found,
                                           std::span(run.norms).subspan(n * num_norms, num_norms),
                                           expected));
    for (std::size_t i = 0; i < rows; ++i) {
      deviation.largest = std::max(deviation.largest, std::abs(found[i] - expected[i]));
    }
  }
  return deviation;
}

absl::StatusOr<Deviation> CompareWithReference(const Converted& converted, ConstMatrixView samples,
                                               std::span<const double> expected) {
  const std::size_t rows = NumRows(converted.network);
  const std::vector<double> scores = ScoresOfNetwork(converted.network, samples);
  Deviation deviation{.samples = samples.rows, .largest_score = LargestMagnitude(expected)};
  for (std::size_t n = 0; n < samples.rows; ++n) {
    const std::vector<double> found =
        AfterFinalSteps(converted, {scores.begin() + static_cast<std::ptrdiff_t>(n * rows),
                                    scores.begin() + static_cast<std::ptrdiff_t>((n + 1) * rows)});
    if (found.size() * samples.rows != expected.size()) {
      return absl::InvalidArgumentError(absl::StrCat("expected ", found.size(),
                                                     " outputs of each of ", samples.rows,
                                                     " samples, got ", expected.size(), " in all"));
    }
    const auto row = expected.subspan(n * found.size(), found.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      deviation.largest = std::max(deviation.largest, std::abs(found[i] - row[i]));
    }
    const bool same = ClassOf(converted, found) == ClassOf(converted, row);
    if (!same) ++deviation.other_classes;
  }
  return deviation;
}

}  // namespace lipserve::exchange
