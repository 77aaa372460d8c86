// SPDX-License-Identifier: Apache-2.0
// Networks of convolutions and pools: the layouts between layers, the gradients through all of
// them, and the frozen network beside the trained one.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "model/certificate/layer_bounds.h"
#include "model/certified_model.h"
#include "tests/model/layer_definition.h"
#include "tests/trainer/matrices.h"
#include "trainer/network/trainable_network.h"

namespace lipserve::trainer {
namespace {

constexpr SampleShape kImage{3, 8, 6};
constexpr std::size_t kClasses = 4;

// The layouts that the layers hand on differ in every way that they can.
constexpr const char* kNetworks[] = {
    R"(layers { convolution { filters: 4 kernel_size: 3 use_bias: true spectral {} } }
       layers { group_sort { group_size: 2 } }
       layers { scaled_l2_norm_pool {} }
       layers { convolution { filters: 6 kernel_size: 3 stride: [2, 1] use_bias: true
                              padding_mode: PADDING_MODE_CIRCULAR spectral {} } }
       layers { full_sort {} }
       layers { flatten {} }
       layers { spectral_dense { units: 4 use_bias: true } })",
    R"(layers { scaled_average_pool { pool_size: [2, 1] } }
       layers { group_sort { group_size: 3 } }
       layers { convolution { filters: 8 kernel_size: 2 stride: 2 spectral {} } }
       layers { scaled_global_l2_norm_pool {} }
       layers { spectral_dense { units: 4 } })",
    R"(layers { flatten {} }
       layers { group_sort { group_size: 2 } }
       layers { spectral_dense { units: 6 use_bias: true } }
       layers { frobenius_dense { units: 4 disjoint_neurons: true } })",
    R"(layers { sll_convolution { filters: 4 kernel_size: 3 use_bias: true } }
       layers { invertible_down_sampling {} }
       layers { convolution { filters: 12 kernel_size: 3 use_bias: true
                              linear_residual { scale: 0.5 power_iterations: 40 } } }
       layers { max_min {} }
       layers { cpl_convolution { kernel_size: [3, 1] groups: 3
                                  padding_mode: PADDING_MODE_CIRCULAR } }
       layers { flatten {} }
       layers { linear_residual_dense { use_bias: true residual { power_iterations: 40 } } }
       layers { group_sort { group_size: 2 } }
       layers { spectral_dense { units: 4 } })",
    R"(layers { residual { layers { convolution { filters: 4 kernel_size: 3 use_bias: true aol {} } }
                           layers { group_sort { group_size: 2 } }
                           layers { convolution { filters: 3 kernel_size: 3 use_bias: true
                                                  padding_mode: PADDING_MODE_CIRCULAR
                                                  spectral {} } } } }
       layers { scaled_average_pool {} }
       layers { soft_huber {} }
       layers { flatten {} }
       layers { residual { layers { spectral_dense { units: 36 use_bias: true } }
                           layers { householder {} }
                           initial_skip: 0.3 } }
       layers { spectral_dense { units: 4 } })",
};

std::unique_ptr<TrainableNetwork> Make(const char* text, std::uint64_t seed) {
  v1::Recipe recipe;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &recipe)) << text;
  auto network = TrainableNetwork::Create(recipe, kImage, seed);
  EXPECT_TRUE(network.ok()) << network.status();
  return *std::move(network);
}

// Kernels off the orthogonal ones and biases, as training leaves them, power iterations settled.
void Disturb(TrainableNetwork& network, std::mt19937_64& random) {
  for (Parameter* parameter : network.Parameters()) {
    const std::vector<float> noise = RandomNumbers(parameter->values.size(), random, 0.05);
    for (std::size_t i = 0; i < noise.size(); ++i) parameter->values[i] += noise[i];
  }
  for (int step = 0; step < 100; ++step) network.PrepareStep(true);
}

std::vector<double> ScoresByDefinition(const FrozenNetwork& network, std::vector<double> x) {
  SampleShape shape = network.input_shape;
  for (const FrozenLayer& layer : network.layers) {
    x = std::visit(LayerDefinition<double>{x, shape}, layer);
    shape = OutputShape(layer, shape);
  }
  return x;
}

TEST(ImageNetworkTest, TheFrozenNetworkIsTheTrainedOne) {
  std::mt19937_64 random(71);
  for (const char* text : kNetworks) {
    SCOPED_TRACE(text);
    const auto network = Make(text, 1);
    Disturb(*network, random);
    const FrozenNetwork frozen = network->Freeze();
    ASSERT_TRUE(CheckNetwork(frozen).ok()) << CheckNetwork(frozen);
    constexpr std::size_t kBatch = 3;
    const std::vector<float> inputs = RandomNumbers(kBatch * kImage.size(), random);
    network->PrepareStep(false);
    const ConstMatrixView scores = network->Forward({inputs.data(), kBatch, kImage.size()});
    for (std::size_t r = 0; r < kBatch; ++r) {
      const float* image = inputs.data() + r * kImage.size();
      const std::vector<double> expected =
          ScoresByDefinition(frozen, {image, image + kImage.size()});
      ASSERT_EQ(expected.size(), kClasses);
      for (std::size_t s = 0; s < kClasses; ++s) {
        // Bjorck stops once a step changes less than 1e-3, and converges quadratically.
        EXPECT_NEAR(static_cast<double>(scores.row(r)[s]), expected[s], 1e-4);
      }
    }
  }
}

TEST(ImageNetworkTest, IsServedWithTheClassesThatItWasTrainedToGiveAndProvenRadii) {
  std::mt19937_64 random(74);
  for (const char* text : kNetworks) {
    SCOPED_TRACE(text);
    const auto network = Make(text, 3);
    Disturb(*network, random);
    FrozenModel frozen;
    frozen.name = "network";
    frozen.network = network->Freeze();
    frozen.pixel_divisor = 1.0;
    frozen.class_labels = {"a", "b", "c", "d"};
    for (FrozenLayer& layer : frozen.network.layers) ASSERT_TRUE(ClaimOperatorNorm(layer).ok());
    constexpr std::size_t kBatch = 16;
    const auto served = CertifiedModel::Create(frozen, kBatch);
    ASSERT_TRUE(served.ok()) << served.status();
    const auto bounds = (*served)->layer_lipschitz_bounds();
    // Of the last layer the certificate takes the distances of its rows.
    for (const double bound : bounds.first(bounds.size() - 1)) EXPECT_LE(bound, 1.0 + 1e-5);
    const std::vector<float> inputs = RandomNumbers(kBatch * kImage.size(), random);
    const ConstMatrixView x{inputs.data(), kBatch, kImage.size()};
    network->PrepareStep(false);
    const ConstMatrixView scores = network->Forward(x);
    std::vector<Answer> answers(kBatch);
    const auto worker = (*served)->NewWorker();
    (*served)->Classify(x, *worker, answers);
    std::size_t agreeing = 0;
    for (std::size_t r = 0; r < kBatch; ++r) {
      const auto row = scores.row(r);
      const auto best = std::max_element(row.begin(), row.end());
      // Closer scores may change places: Bjorck stops early.
      if (row[answers[r].class_index] > *best - 2e-4F) ++agreeing;
      EXPECT_GT(answers[r].radius_l2, 0.0);
    }
    EXPECT_EQ(agreeing, kBatch);
  }
}

TEST(ImageNetworkTest, GradientsMatchDifferencesAlongRandomDirections) {
  std::mt19937_64 random(72);
  for (const char* text : kNetworks) {
    SCOPED_TRACE(text);
    const auto network = Make(text, 2);
    Disturb(*network, random);
    constexpr std::size_t kBatch = 2;
    const std::vector<float> inputs = RandomNumbers(kBatch * kImage.size(), random);
    const ConstMatrixView x{inputs.data(), kBatch, kImage.size()};
    const std::vector<float> c = RandomNumbers(kBatch * kClasses, random);
    const auto loss = [&](bool training) {
      network->PrepareStep(training);
      const ConstMatrixView scores = network->Forward(x);
      double sum = 0.0;
      for (std::size_t i = 0; i < c.size(); ++i) {
        sum += static_cast<double>(c[i]) * static_cast<double>(scores.data[i]);
      }
      return sum;
    };
    loss(true);
    network->Backward({c.data(), kBatch, kClasses});
    // The network is smooth but for ties in sorts, which so short a step does not cross.
    constexpr float kStep = 0x1p-9F;
    double expected = 0.0;
    std::vector<std::vector<float>> direction;
    for (const Parameter* parameter : network->Parameters()) {
      direction.push_back(RandomNumbers(parameter->values.size(), random, 0.3));
      for (std::size_t i = 0; i < parameter->values.size(); ++i) {
        expected +=
            static_cast<double>(parameter->gradient[i]) * static_cast<double>(direction.back()[i]);
      }
    }
    const auto move = [&](float step) {
      for (std::size_t p = 0; p < direction.size(); ++p) {
        std::vector<float>& values = network->Parameters()[p]->values;
        for (std::size_t i = 0; i < values.size(); ++i) values[i] += step * direction[p][i];
      }
    };
    move(kStep);
    const double above = loss(false);
    move(-2.0F * kStep);
    const double below = loss(false);
    const double difference = (above - below) / (2.0 * static_cast<double>(kStep));
    EXPECT_NEAR(expected, difference, 1e-2 * (1.0 + std::abs(difference)));
    EXPECT_GT(std::abs(expected), 0.02);  // not a comparison of nothing with nothing
  }
}

TEST(ImageNetworkTest, SameSeedAndInputsGiveTheSameBytesWhateverBatchesCameBetween) {
  std::mt19937_64 random(73);
  const std::vector<float> inputs = RandomNumbers(5 * kImage.size(), random);
  const std::vector<float> gradient(5 * kClasses, 0.5F);
  const auto gradients = [&](bool another_batch_between) {
    const auto network = Make(kNetworks[0], 3);
    for (const std::size_t batch : {std::size_t{5}, std::size_t{2}, std::size_t{5}}) {
      if (batch == 2 && !another_batch_between) continue;
      network->PrepareStep(false);
      network->Forward({inputs.data(), batch, kImage.size()});
      network->Backward({gradient.data(), batch, kClasses});
    }
    std::vector<std::vector<float>> all;
    for (const Parameter* parameter : network->Parameters()) all.push_back(parameter->gradient);
    return all;
  };
  EXPECT_EQ(gradients(true), gradients(false));
}

}  // namespace
}  // namespace lipserve::trainer
