// SPDX-License-Identifier: Apache-2.0
// Answers as JSON, for programs.
#ifndef CLIENT_ANSWER_JSON_H_
#define CLIENT_ANSWER_JSON_H_

#include <cstddef>
#include <string>

#include "client/answer_report.h"

namespace lipserve {

// One answer as a JSON object on one line, without the newline:
//   source, index      file and position in it
//   class, label       the answer
//   scores             the network's outputs
//   margin             proven, 12 digits, rounded down
//   radius_l2          proven, 12 digits, rounded down
//   radius_l2_hex      the same exactly, as a hexadecimal floating-point string
//   radius_unit        "pixel" or "input"
//   pixel_radius_squared   proven, an integer, if pixels were sent: any image whose squared pixel
//                      differences sum to at most this gets the same class
//   pixel_radius_linf  the largest k that this proves for a change of every pixel by up to k steps
//   radius_precision   "tight" or "fast"
//   decided_by         "float32", "float64" or "exact"
//   epsilon, certified_at_epsilon      if an epsilon was asked for
//   true_label         if a labels file was given
//   right              if the true label is one of the model's classes
//   model, model_version, digest_sha256
//
// Guarantee: no number printed as proven exceeds what the server proved.
// Requires:  index < report.images.size().
std::string AnswerJson(const AnswerReport& report, std::size_t index);

}  // namespace lipserve

#endif  // CLIENT_ANSWER_JSON_H_
