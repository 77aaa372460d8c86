// SPDX-License-Identifier: Apache-2.0
// What a server must answer, from the model alone.
#ifndef TESTS_SERVER_EXPECTED_ANSWERS_H_
#define TESTS_SERVER_EXPECTED_ANSWERS_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lipserve/v1/classifier.pb.h"
#include "model/certified_model.h"
#include "tests/server/small_model.h"

namespace lipserve {

// What `model` says of `inputs` with no server around it.
inline std::vector<Answer> AnswersOf(FrozenModel model, const std::vector<float>& inputs) {
  const auto certified = CertifiedModel::Create(std::move(model), 4).value();
  std::vector<Answer> answers(inputs.size() / kSmallInputSize);
  certified->Classify({inputs.data(), answers.size(), kSmallInputSize}, *certified->NewWorker(),
                      answers);
  return answers;
}

inline void ExpectSame(const v1::Classification& got, const Answer& expected, double radius) {
  EXPECT_EQ(got.class_index(), static_cast<std::int32_t>(expected.class_index));
  EXPECT_EQ(got.label(), "class " + std::to_string(expected.class_index));
  EXPECT_EQ(std::vector<float>(got.scores().begin(), got.scores().end()),
            std::vector<float>(expected.scores.begin(), expected.scores.end()));
  EXPECT_EQ(got.margin(), expected.margin_lower_bound);
  EXPECT_EQ(got.certified_radius_l2(), radius);
}

}  // namespace lipserve

#endif  // TESTS_SERVER_EXPECTED_ANSWERS_H_
