// SPDX-License-Identifier: Apache-2.0
#include "client/verify/answer_check.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/verify/exact/number_text.h"
#include "client/verify/exact_evaluation.h"

namespace lipserve::verify {
namespace {

absl::StatusOr<ExactVector> InputOf(const Model& model, const Answer& answer) {
  const bool is_pixels = answer.element_type == ElementType::kUint8;
  if (is_pixels && !model.pixels) {
    return absl::InvalidArgumentError(
        "input: expected floats, since the model does not say what pixels mean, got pixels");
  }
  const std::size_t expected = model.input_size() * (is_pixels ? 1 : 4);
  if (answer.data.size() != expected) {
    return absl::InvalidArgumentError(absl::StrCat("input: expected ", expected, " bytes for ",
                                                   model.input_size(), " numbers, got ",
                                                   answer.data.size()));
  }
  if (is_pixels) return model.pixels->Apply(answer.data);
  absl::StatusOr<ExactVector> input = FromBinary32(answer.data, Binary32Rule::kFinite);
  if (!input.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("input: ", std::string(input.status().message())));
  }
  return input;
}

// ||w_i - w_j||^2 in the last layer; the second class of a single score has a row of zeros.
mpq_class SquaredRowDistance(const Dense& last, std::size_t i, std::size_t j) {
  const auto entry = [&](std::size_t row, std::size_t k) {
    return row < last.outputs ? last.weights.numbers[row * last.inputs + k] : mpz_class(0);
  };
  mpz_class squares;
  for (std::size_t k = 0; k < last.inputs; ++k) {
    const mpz_class difference = entry(i, k) - entry(j, k);
    squares += difference * difference;
  }
  return ToRational(squares, 2 * last.weights.exponent);
}

std::string NameOf(const Model& model, std::size_t class_index) {
  return absl::StrCat("class ", class_index, " (", model.class_labels[class_index], ")");
}

// How far from an input row i's score is proven to stay above row j's.
class Reach {
 public:
  // `margin` is at most f_i - f_j at the input, which changes by at most `slope` per unit of
  // distance. Requires: margin >= 0.
  Reach(const mpq_class& margin, const mpq_class& slope_squared, bool wins_ties)
      : margin_squared_(margin * margin), slope_squared_(slope_squared), wins_ties_(wins_ties) {}

  // Whether every input within this distance is covered.
  bool Covers(const mpq_class& distance_squared) const {
    const mpq_class needed = distance_squared * slope_squared_;
    return distance_squared == 0 || margin_squared_ > needed ||
           (margin_squared_ == needed && wins_ties_);
  }

  // The squared distance that is proven. Requires: some distance is not covered.
  mpq_class limit_squared() const { return margin_squared_ / slope_squared_; }

  // "less than " if the distance is the limit itself, "at most " if it is beyond.
  const char* ExpectedFor(const mpq_class& uncovered_squared) const {
    return uncovered_squared == limit_squared() ? "less than " : "at most ";
  }

 private:
  mpq_class margin_squared_;
  mpq_class slope_squared_;
  bool wins_ties_;
};

// Describes the first radius of the answer that is beyond `reach`; empty if none is.
std::string DescribeExcess(const Answer& answer, const Reach& reach) {
  if (const mpq_class squared = answer.radius * answer.radius; !reach.Covers(squared)) {
    return absl::StrCat("radius: expected ", reach.ExpectedFor(squared),
                        RootRoundedDown(reach.limit_squared()), ", got ",
                        DecimalRoundedDown(answer.radius));
  }
  if (!answer.pixel_radius_squared) return "";
  if (const mpq_class squared(*answer.pixel_radius_squared); !reach.Covers(squared)) {
    return absl::StrCat("squared pixel radius: expected ", reach.ExpectedFor(squared),
                        DecimalRoundedDown(reach.limit_squared()), ", got ",
                        answer.pixel_radius_squared->get_str());
  }
  return "";
}

// Checks one answer. Its class is that of the row `best`.
class AnswerChecker {
 public:
  // `unit` is the largest distance between inputs that differ by a distance of 1 in the unit of the
  // radius.
  AnswerChecker(const ProvenModel& proven, const Answer& answer, const mpq_class& unit,
                const ExactVector& scores, std::size_t best)
      : proven_(proven),
        model_(proven.model()),
        answer_(answer),
        unit_(unit),
        scores_(scores),
        best_(best) {}

  // Checks the class against row j of another one.
  absl::Status CheckRow(std::size_t j) const {
    const mpq_class margin = MarginOf(best_, j);
    if (margin < 0 || (margin == 0 && !WinsTies(j))) {
      return NotProven(
          best_, j,
          "class: expected scores that differ by more than the roots of L2-norm poolings "
          "are rounded by, got a tie or nearly one");
    }
    if (answer_.margin && *answer_.margin > margin) {
      return NotProven(
          best_, j,
          absl::StrCat("margin: expected at most the exact ", DecimalRoundedDown(margin), ", got ",
                       DecimalRoundedDown(*answer_.margin)));
    }
    return CheckRadius(j);
  }

 private:
  // Looks for a row of the class that proves the radius against row j. If none does, the error says
  // what the best of them proves.
  absl::Status CheckRadius(std::size_t j) const {
    Reach farthest = ReachOf(best_, j);
    std::size_t by = best_;
    if (DescribeExcess(answer_, farthest).empty()) return absl::OkStatus();
    const std::size_t first = answer_.class_index * model_.prototypes_per_class;
    for (std::size_t i = first; i < first + model_.prototypes_per_class; ++i) {
      if (i == best_ || MarginOf(i, j) <= 0) continue;
      const Reach reach = ReachOf(i, j);
      if (DescribeExcess(answer_, reach).empty()) return absl::OkStatus();
      if (reach.limit_squared() <= farthest.limit_squared()) continue;
      farthest = reach;
      by = i;
    }
    return NotProven(by, j, DescribeExcess(answer_, farthest));
  }

  // At most f_i - f_j at the input; equal to it if the scores are exact.
  mpq_class MarginOf(std::size_t i, std::size_t j) const {
    return ToRational(mpz_class(scores_.numbers[i] - scores_.numbers[j]), scores_.exponent) -
           proven_.difference_error();
  }

  Reach ReachOf(std::size_t i, std::size_t j) const {
    return Reach(MarginOf(i, j),
                 SquaredRowDistance(model_.last(), i, j) * proven_.hidden_lipschitz_squared() *
                     unit_ * unit_,
                 WinsTies(j));
  }

  bool WinsTies(std::size_t j) const { return answer_.class_index < model_.ClassOf(j); }

  absl::Status NotProven(std::size_t i, std::size_t j, const std::string& what) const {
    return absl::FailedPreconditionError(
        absl::StrCat(RowName(i), " against ", RowName(j), ": ", what));
  }

  std::string RowName(std::size_t row) const {
    std::string name = NameOf(model_, model_.ClassOf(row));
    if (model_.prototypes_per_class > 1) {
      absl::StrAppend(&name, ", prototype ", row % model_.prototypes_per_class);
    }
    return name;
  }

  const ProvenModel& proven_;
  const Model& model_;
  const Answer& answer_;
  const mpq_class& unit_;
  const ExactVector& scores_;
  const std::size_t best_;
};

}  // namespace

absl::Status CheckAnswer(const ProvenModel& proven, const Answer& answer) {
  const Model& model = proven.model();
  if (answer.class_index >= model.class_labels.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "class: expected 0 to ", model.class_labels.size() - 1, ", got ", answer.class_index));
  }
  if (answer.pixel_radius_squared && answer.element_type != ElementType::kUint8) {
    return absl::InvalidArgumentError("squared pixel radius: expected none for floats, got one");
  }
  absl::StatusOr<ExactVector> input = InputOf(model, answer);
  if (!input.ok()) return input.status();
  const ExactVector scores = RowScores(model, *std::move(input));
  const std::size_t best = LargestScore(scores);
  if (model.ClassOf(best) != answer.class_index) {
    return absl::FailedPreconditionError(absl::StrCat("class: expected ",
                                                      NameOf(model, model.ClassOf(best)), ", got ",
                                                      NameOf(model, answer.class_index)));
  }
  const mpq_class unit =
      answer.element_type == ElementType::kUint8 ? model.pixels->steepest_step() : mpq_class(1);
  const AnswerChecker checker(proven, answer, unit, scores, best);
  for (std::size_t j = 0; j < scores.numbers.size(); ++j) {
    if (model.ClassOf(j) == answer.class_index) continue;
    if (absl::Status status = checker.CheckRow(j); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace lipserve::verify
