// SPDX-License-Identifier: Apache-2.0
// What lemmas about rounding errors add up, in quadruple precision.
#ifndef TESTS_MODEL_LEMMA_FORMULA_H_
#define TESTS_MODEL_LEMMA_FORMULA_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/model/quad.h"

namespace lipserve {

// gamma_k of unit roundoff u.
inline Quad QuadGamma(Quad k, double u) { return k * u / (1 - k * u); }

// Named terms of a sum, and the largest share that each had in one of several sums. A test whose
// sums contain every term at a large share notices when a bound forgets one.
class LemmaTerms {
 public:
  void Add(const std::string& name, Quad value) {
    terms_[name] += value;
    sum_ += value;
  }
  Quad sum() const { return sum_; }
  // Starts the next sum.
  void Finish() {
    for (auto& [name, value] : terms_) {
      double& share = shares_[name];
      if (sum_ > 0) share = std::max(share, static_cast<double>(value / sum_));
      value = 0;
    }
    sum_ = 0;
  }
  void ExpectEachHadAShareAbove(double least) const {
    for (const auto& [name, share] : shares_) EXPECT_GT(share, least) << name;
  }

 private:
  std::map<std::string, Quad> terms_;
  std::map<std::string, double> shares_;
  Quad sum_ = 0;
};

}  // namespace lipserve

#endif  // TESTS_MODEL_LEMMA_FORMULA_H_
