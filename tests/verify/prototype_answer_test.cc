// SPDX-License-Identifier: Apache-2.0
// Answers of networks whose classes have several prototypes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/certificate/layer_bounds.h"
#include "model/certified_model.h"
#include "tests/verify/answers.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;

// max over the class's rows of the radius that a row proves against every row of the others, each
// of them against the row of the class that it is farthest from.
double LargestProvenRadius(const FrozenNetwork& network, const std::vector<float>& input) {
  const auto& last = std::get<DenseLayer>(network.layers.back());
  const std::vector<Quad> rows = QuadRowScores(network, input);
  const std::size_t count = network.prototypes_per_class;
  const std::size_t chosen = QuadArgmax(rows) / count;
  Quad hidden = 1;
  for (std::size_t l = 0; l + 1 < network.layers.size(); ++l) {
    const auto* const dense = std::get_if<DenseLayer>(&network.layers[l]);
    if (dense != nullptr) hidden *= static_cast<Quad>(dense->claimed_operator_norm_bound);
  }
  Quad radius = 1e30;
  for (std::size_t j = 0; j < rows.size(); ++j) {
    if (j / count == chosen) continue;
    Quad against = 0;
    for (std::size_t i = chosen * count; i < (chosen + 1) * count; ++i) {
      Quad squares = 0;
      for (std::size_t k = 0; k < last.inputs; ++k) {
        const Quad difference = static_cast<Quad>(last.weights[i * last.inputs + k]) -
                                static_cast<Quad>(last.weights[j * last.inputs + k]);
        squares += difference * difference;
      }
      against = std::max(against, (rows[i] - rows[j]) / (QuadSqrt(squares) * hidden));
    }
    radius = std::min(radius, against);
  }
  return static_cast<double>(radius);
}

TEST(PrototypeAnswerTest, ServedAnswersAreAcceptedAndLargerRadiiThanAreProvenRefused) {
  std::mt19937_64 random(1);
  for (const auto& sizes : {std::vector<std::size_t>{12, 4}, {12, 8, 8, 3}}) {
    const FrozenNetwork network = WithPrototypes(RandomNetwork(5, sizes), 5, 6);
    FrozenModel frozen = ModelOf(network);
    const ProvenModel proven = Proven(frozen);
    const auto served = CertifiedModel::Create(frozen, 1).value();
    const auto worker = served->NewWorker();
    for (int trial = 0; trial < 40; ++trial) {
      const auto input = RandomFloats(random, 12, 1.0);
      std::vector<lipserve::Answer> answers(1);
      served->Classify({input.data(), 1, input.size()}, *worker, answers);
      Answer answer = AnswerFor(input, answers[0].class_index, mpq_class(answers[0].radius_l2));
      answer.margin = mpq_class(answers[0].margin_lower_bound);
      EXPECT_EQ(AnswerError(proven, answer), "");
      const double largest = LargestProvenRadius(network, input);
      answer.radius = mpq_class(largest * (1.0 - 1e-12));
      EXPECT_EQ(AnswerError(proven, answer), "");
      answer.radius = mpq_class(largest * (1.0 + 1e-12));
      EXPECT_THAT(AnswerError(proven, answer), HasSubstr("radius: expected at most"));
      answer.radius = 0;
      *answer.margin *= mpq_class(1'000'001, 1'000'000);
      EXPECT_THAT(AnswerError(proven, answer), HasSubstr("margin: expected at most"));
      answer.margin = std::nullopt;
      answer.class_index = (answer.class_index + 1) % NumClasses(network);
      EXPECT_THAT(AnswerError(proven, answer), HasSubstr("class: expected class"));
    }
  }
}

// Prototypes of a plane, w = p and b = -|p|^2 / 2, two of each class.
FrozenModel Plane(const std::vector<float>& prototypes) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 2};
  DenseLayer head{.inputs = 2, .outputs = prototypes.size() / 2, .weights = prototypes, .bias = {}};
  for (std::size_t i = 0; i < prototypes.size(); i += 2) {
    head.bias.push_back(-0.5F *
                        (prototypes[i] * prototypes[i] + prototypes[i + 1] * prototypes[i + 1]));
  }
  EXPECT_TRUE(ClaimOperatorNorm(network.layers.emplace_back(head)).ok());
  network.prototypes_per_class = 2;
  return ModelOf(std::move(network));
}

// From the origin, class 0's prototypes (1, 0) and (0, 1) are equally far; class 1's (-2, 0) is
// (4 - 1) / (2 * 3) = 0.5 away by the first and (4 - 1) / (2 sqrt(5)) = 0.6708 by the second.
TEST(PrototypeAnswerTest, AnyPrototypeOfTheClassMayProveTheRadius) {
  FrozenModel frozen = Plane({1.0F, 0.0F, 0.0F, 1.0F, -2.0F, 0.0F, -50.0F, 0.0F});
  const ProvenModel proven = Proven(frozen);
  EXPECT_EQ(AnswerError(proven, AnswerFor({0.0F, 0.0F}, 0, mpq_class(6708, 10000))), "");
  EXPECT_THAT(AnswerError(proven, AnswerFor({0.0F, 0.0F}, 0, mpq_class(6709, 10000))),
              HasSubstr("class 0 (class 0), prototype 1 against class 1 (class 1), prototype 0: "
                        "radius: expected at most 0.6708"));
}

// At distance 1 of (-1, 0) the nearest prototypes of both classes tie: class 0 still, not class 1.
TEST(PrototypeAnswerTest, OnTheSphereATieBelongsToTheFirstClass) {
  FrozenModel frozen = Plane({-1.0F, 0.0F, -40.0F, 0.0F, 1.0F, 0.0F, 40.0F, 0.0F});
  const ProvenModel proven = Proven(frozen);
  EXPECT_EQ(AnswerError(proven, AnswerFor({-1.0F, 0.0F}, 0, 1)), "");
  EXPECT_THAT(AnswerError(proven, AnswerFor({1.0F, 0.0F}, 1, 1)),
              HasSubstr("radius: expected less than 1, got 1"));
  EXPECT_EQ(AnswerError(proven, AnswerFor({0.0F, 0.0F}, 0, 0)), "");
  EXPECT_NE(AnswerError(proven, AnswerFor({0.0F, 0.0F}, 1, 0)), "");
}

std::string FileErrorAfter(std::int64_t prototypes) {
  FrozenModel frozen = Plane({-1.0F, 0.0F, -40.0F, 0.0F, 1.0F, 0.0F, 40.0F, 0.0F});
  v1::ModelContent content = ContentOf(BytesOf(frozen));
  EXPECT_EQ(content.prototypes_per_class(), 2);
  content.set_prototypes_per_class(prototypes);
  return std::string(ParseModel(Sealed(content.SerializeAsString())).status().message());
}

TEST(PrototypeAnswerTest, FilesWhoseRowsDoNotMakeClassesAreRefused) {
  for (const std::int64_t wrong : {-1, 1, 3, 4, 8}) {
    EXPECT_THAT(FileErrorAfter(wrong), HasSubstr("prototypes_per_class: expected at least 2"));
  }
  EXPECT_THAT(FileErrorAfter(0), HasSubstr("class_labels: expected 4, got 2"));
  EXPECT_EQ(FileErrorAfter(2), "");
}

}  // namespace
}  // namespace lipserve::verify
