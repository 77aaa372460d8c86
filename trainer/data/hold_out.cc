// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/hold_out.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/data/shuffle.h"

namespace lipserve::trainer {
namespace {

enum class Part : std::uint8_t { kTrain, kValidation, kTest };

// How many samples of a class go into a part.
absl::StatusOr<std::size_t> CountFor(const char* field, double share, const std::string& name,
                                     std::size_t samples) {
  if (share == 0.0) return std::size_t{0};
  const auto count = static_cast<std::size_t>(std::llround(share * static_cast<double>(samples)));
  if (count > 0) return count;
  return absl::InvalidArgumentError(absl::StrCat(
      "recipe: dataset.split.", field, ": expected a share that gives each class a ",
      "sample, got ", share, " of the ", samples, " of class ", name, ": raise it, or add images"));
}

// The parts of one class's samples, by their position among them.
absl::StatusOr<std::vector<Part>> DrawParts(const v1::SplitSpec& spec, const std::string& name,
                                            std::size_t class_index, std::size_t samples) {
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t test, CountFor("test", spec.test(), name, samples));
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t validation,
                            CountFor("validation", spec.validation(), name, samples));
  if (test + validation >= samples) {
    return absl::InvalidArgumentError(absl::StrCat(
        "recipe: dataset.split: expected to leave samples of every class for training, got none ",
        "left of the ", samples, " of class ", name, ": lower validation or test"));
  }
  // Epochs count from 1, so these orders are not those of training.
  const auto draw = -1 - static_cast<std::int64_t>(class_index);
  const std::vector<std::uint32_t> order = ShuffledOrder(samples, spec.seed(), draw);
  std::vector<Part> parts(samples, Part::kTrain);
  for (std::size_t i = 0; i < test; ++i) parts[order[i]] = Part::kTest;
  for (std::size_t i = test; i < test + validation; ++i) parts[order[i]] = Part::kValidation;
  return parts;
}

Samples SelectPart(const Samples& samples, const std::vector<Part>& parts, Part wanted) {
  Samples kept;
  kept.shape = samples.shape;
  kept.class_names = samples.class_names;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (parts[i] != wanted) continue;
    kept.labels.push_back(samples.labels[i]);
    const auto image = samples.image(i);
    kept.pixels.insert(kept.pixels.end(), image.begin(), image.end());
  }
  return kept;
}

}  // namespace

absl::StatusOr<HeldOut> HoldOut(const v1::SplitSpec& spec, Samples samples) {
  HeldOut held_out;
  if (spec.validation() == 0.0 && spec.test() == 0.0) {
    held_out.train = std::move(samples);
    return held_out;
  }
  std::vector<Part> parts(samples.size());
  for (std::size_t c = 0; c < samples.class_names.size(); ++c) {
    std::vector<std::size_t> of_class;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (static_cast<std::size_t>(samples.labels[i]) == c) of_class.push_back(i);
    }
    LIPSERVE_ASSIGN_OR_RETURN(const std::vector<Part> drawn,
                              DrawParts(spec, samples.class_names[c], c, of_class.size()));
    for (std::size_t i = 0; i < of_class.size(); ++i) parts[of_class[i]] = drawn[i];
  }
  held_out.train = SelectPart(samples, parts, Part::kTrain);
  if (spec.validation() > 0.0) held_out.validation = SelectPart(samples, parts, Part::kValidation);
  if (spec.test() > 0.0) held_out.test = SelectPart(samples, parts, Part::kTest);
  return held_out;
}

}  // namespace lipserve::trainer
