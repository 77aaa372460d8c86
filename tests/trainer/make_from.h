// SPDX-License-Identifier: Apache-2.0
// Layers and their specifications, from the text of a recipe.
#ifndef TESTS_TRAINER_MAKE_FROM_H_
#define TESTS_TRAINER_MAKE_FROM_H_

#include <memory>
#include <random>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "trainer/network/make_layer.h"

namespace lipserve::trainer {

inline v1::LayerSpec ParseLayer(const std::string& text) {
  v1::LayerSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

// The layer at index 3 of a recipe.
inline absl::StatusOr<std::unique_ptr<Layer>> MakeFrom(const std::string& text,
                                                       SampleShape shape = {12, 1, 1}) {
  std::mt19937_64 random(39);
  return MakeLayer(ParseLayer(text), 3, shape, random);
}

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_MAKE_FROM_H_
