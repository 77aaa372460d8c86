// SPDX-License-Identifier: Apache-2.0
// Joins answers with their images and, where labels were given, with the true labels.
#ifndef CLIENT_ANSWER_REPORT_H_
#define CLIENT_ANSWER_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/image_input.h"
#include "client/terminal.h"
#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

// One image and its answer.
struct AnsweredImage {
  ImageOrigin origin;
  std::optional<int> true_class;  // what origin.label stands for; none if no class of the model
  v1::Classification answer;

  // Whether the answer is the true class; none if that is not known.
  std::optional<bool> is_right() const;
};

// The answers to one command.
struct AnswerReport {
  v1::ModelIdentity model;
  v1::RadiusUnit unit = v1::RADIUS_UNIT_UNSPECIFIED;
  v1::RadiusPrecision precision = v1::RADIUS_PRECISION_UNSPECIFIED;
  std::optional<double> epsilon;
  std::size_t numbers_per_image = 0;
  std::vector<AnsweredImage> images;
};

// Class index for number `label` of a labels file: its position among the classes of the model's
// training data. If the model does not say these, the class whose label is that number.
std::optional<int> ClassOfLabel(const v1::DescribeModelResponse& model, std::int64_t label);

// Joins images and answers.
//
// Requires: one classification per image, in the same order.
AnswerReport MakeReport(const v1::DescribeModelResponse& model, const ImageSet& images,
                        const v1::ClassifyResponse& response, std::optional<double> epsilon);

// The digest in lower-case hexadecimal.
std::string DigestHex(const v1::ModelIdentity& model);

// "t10k-images-idx3-ubyte.gz[17]": the file without its folders, and the position in it.
std::string OriginText(const ImageOrigin& origin);

// Score of the chosen class, or the only score of a binary model, with its sign.
std::string ScoreText(const v1::Classification& answer);

// The certified radius with its unit, rounded down: "312.47 px", "1.2253".
std::string RadiusText(const v1::Classification& answer, v1::RadiusUnit unit);

// "tight" or "fast", as --radius-precision takes it.
std::string PrecisionText(v1::RadiusPrecision precision);

// The requested epsilon in its shortest decimal form.
std::string EpsilonText(double epsilon);

// Lines for people: which model answered, the unit and the precision of the radii.
std::string ModelLines(const AnswerReport& report, const TerminalStyle& style);

// Lines for people: how many answers are right, certified, and both. Shares are rounded down.
std::string SummaryLines(const AnswerReport& report, const TerminalStyle& style);

}  // namespace lipserve

#endif  // CLIENT_ANSWER_REPORT_H_
