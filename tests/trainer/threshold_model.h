// SPDX-License-Identifier: Apache-2.0
// A model whose certified radii can be computed by hand, and samples of it.
#ifndef TESTS_TRAINER_THRESHOLD_MODEL_H_
#define TESTS_TRAINER_THRESHOLD_MODEL_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "model/certified_model.h"
#include "trainer/data/dataset.h"

namespace lipserve::trainer {

// f(x) = x_0 - 10 on two pixels that are taken as they are: class 0 from 10 on. The certified
// radius and the true distance are |x_0 - 10|.
inline FrozenModel ThresholdModel() {
  FrozenModel model;
  model.name = "threshold";
  model.pixel_divisor = 1.0;
  model.class_labels = {"high", "low"};
  model.network.input_shape = {1, 1, 2};
  DenseLayer dense;
  dense.inputs = 2;
  dense.outputs = 1;
  dense.weights = {1.0F, 0.0F};
  dense.bias = {-10.0F};
  dense.claimed_operator_norm_bound = 1.0 + 1e-9;
  model.network.layers = {FlattenLayer{}, dense};
  return model;
}

// The same, ready to answer batches of 4.
inline std::shared_ptr<const CertifiedModel> CertifiedThresholdModel() {
  auto model = CertifiedModel::Create(ThresholdModel(), 4);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

// One sample for each (x_0, label).
inline Samples ThresholdSamples(const std::vector<std::pair<std::uint8_t, std::int32_t>>& values) {
  Samples samples;
  samples.shape = {1, 1, 2};
  samples.class_names = {"high", "low"};
  for (const auto& [pixel, label] : values) {
    samples.pixels.insert(samples.pixels.end(), {pixel, 200});
    samples.labels.push_back(label);
  }
  return samples;
}

// Right with radii 5, 2, 3, 1; wrong with radii 7 and 4, which count as 0.
inline Samples SixSamples() {
  return ThresholdSamples({{15, 0}, {12, 0}, {7, 1}, {9, 1}, {17, 1}, {6, 0}});
}

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_THRESHOLD_MODEL_H_
