// SPDX-License-Identifier: Apache-2.0
// Splits samples into training, validation and test parts, drawn by seed.
#ifndef TRAINER_DATA_HOLD_OUT_H_
#define TRAINER_DATA_HOLD_OUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/data/samples.h"

namespace lipserve::trainer {

// The parts of a set of samples. A part that the recipe does not ask for is empty.
struct HeldOut {
  Samples train;
  std::optional<Samples> validation;
  std::optional<Samples> test;
};

// Draws round(share * n) of the n samples of each class for validation and for test; all parts keep
// the order of `samples`.
//
// Guarantee: the same spec, labels and order give the same parts on every machine; the test part
//            does not depend on the validation share, so that a model can be measured again after
//            the recipe's validation changed.
// Requires:  shares that ValidateRecipe accepts.
// Errors:    InvalidArgument, naming the class, if a part that is asked for, or the training part,
//            would have none of its samples.
absl::StatusOr<HeldOut> HoldOut(const v1::SplitSpec& spec, Samples samples);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_HOLD_OUT_H_
