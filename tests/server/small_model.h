// SPDX-License-Identifier: Apache-2.0
// Small models to serve without a trainer, and folders to put them in.
#ifndef TESTS_SERVER_SMALL_MODEL_H_
#define TESTS_SERVER_SMALL_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/certificate/operator_norm.h"
#include "model/network/model_file.h"
#include "server/operations/metrics.h"
#include "server/repository/served_model.h"
#include "tests/temporary_folder.h"

namespace lipserve {

// A dense layer of normal variates, as small as to keep scores near 1.
inline DenseLayer SeededDense(std::mt19937_64& random, std::size_t inputs, std::size_t outputs) {
  std::normal_distribution<float> normal(0.0F, 1.0F / static_cast<float>(outputs));
  DenseLayer dense{.inputs = inputs,
                   .outputs = outputs,
                   .weights = std::vector<float>(inputs * outputs),
                   .bias = std::vector<float>(outputs),
                   .claimed_operator_norm_bound = 0.0};
  for (float& weight : dense.weights) weight = normal(random);
  for (float& bias : dense.bias) bias = normal(random);
  dense.claimed_operator_norm_bound =
      BoundOperatorNorm({dense.weights.data(), outputs, inputs}).value();
  return dense;
}

// Two dense layers with GroupSort2 between them.
inline FrozenModel SeededModel(std::uint64_t seed, const SampleShape& input_shape,
                               std::size_t hidden, std::size_t classes) {
  std::mt19937_64 random(seed);
  FrozenModel model;
  model.name = "seeded";
  model.network.input_shape = input_shape;
  model.network.layers = {FlattenLayer{}, SeededDense(random, input_shape.size(), hidden),
                          GroupSortLayer{.group_size = 2}, SeededDense(random, hidden, classes)};
  for (std::size_t i = 0; i < classes; ++i) {
    model.class_labels.push_back("class " + std::to_string(i));
  }
  return model;
}

// Three classes of [1, 4, 4] images.
inline constexpr std::size_t kSmallInputSize = 16;

inline FrozenModel SmallModel(std::uint64_t seed = 1) {
  return SeededModel(seed, {.channels = 1, .height = 4, .width = 4}, 8, 3);
}

// A small model, ready to answer, with metrics of its own.
struct SmallServedModel {
  explicit SmallServedModel(std::uint64_t seed = 1, const std::string& name = "small",
                            std::int64_t version = 1)
      : SmallServedModel(SmallModel(seed), name, version) {}
  SmallServedModel(FrozenModel frozen, const std::string& name, std::int64_t version)
      : metrics(std::make_unique<Metrics>(BuildInfo{})),
        clock(std::make_unique<SteadyClock>()),
        model(ServedModel::Load(name, version, std::move(frozen), 4, *metrics, *clock).value()) {
    model->SetBatchLimit(4);  // whatever was measured
  }

  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<SteadyClock> clock;
  std::shared_ptr<const ServedModel> model;
};

// `count` images of numbers in [0, 1].
inline std::vector<float> RandomInputs(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::vector<float> inputs(count * kSmallInputSize);
  for (float& x : inputs) x = uniform(random);
  return inputs;
}

// A folder of models to serve.
class TemporaryModels : public TemporaryFolder {
 public:
  // Writes the model to <folder>/<name>/<version>/model.lip and returns that path.
  std::string Add(const std::string& name, const std::string& version, FrozenModel model) const {
    const std::filesystem::path folder = std::filesystem::path(path()) / name / version;
    std::filesystem::create_directories(folder);
    const std::string path = (folder / kModelFileName).string();
    if (!WriteModelFile(path, model).ok()) std::abort();
    return path;
  }
};

}  // namespace lipserve

#endif  // TESTS_SERVER_SMALL_MODEL_H_
