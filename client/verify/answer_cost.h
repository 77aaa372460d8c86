// SPDX-License-Identifier: Apache-2.0
// What the check of one answer takes, from shapes alone.
#ifndef CLIENT_VERIFY_ANSWER_COST_H_
#define CLIENT_VERIFY_ANSWER_COST_H_

#include <cstdint>

#include "client/verify/model/model_file.h"

namespace lipserve::verify {

// Products of exact numbers in one evaluation of the network, and other work on a number in their
// place; the largest uint64 if there are more.
std::uint64_t ProductsOfAnswer(const Model& model);

// Exact numbers that one evaluation of the network holds at once.
std::uint64_t NumbersOfAnswer(const Model& model);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_ANSWER_COST_H_
