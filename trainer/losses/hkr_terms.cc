// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/hkr_terms.h"

#include "absl/strings/str_format.h"

namespace lipserve::trainer {
double Alpha::hinge_weight() const {
  return convention == AlphaConvention::kKrDivisor ? 1.0 : value;
}

double Alpha::kr_weight() const {
  switch (convention) {
    case AlphaConvention::kConvex:
      return 1.0 - value;
    case AlphaConvention::kKrDivisor:
      return 1.0 / value;
    case AlphaConvention::kHingeWeight:
      break;
  }
  return 1.0;
}

std::string Alpha::ToString() const {
  const char* const meaning = convention == AlphaConvention::kConvex      ? " convex"
                              : convention == AlphaConvention::kKrDivisor ? " dividing KR"
                                                                          : "";
  return absl::StrFormat("alpha=%g%s", value, meaning);
}

LossParameter Alpha::AsParameter() {
  return {"alpha", &value, convention == AlphaConvention::kKrDivisor ? kSmallestParameter : 0.0,
          convention == AlphaConvention::kConvex ? 1.0 : kLargestParameter};
}

std::string MinMargin::ToString() const {
  return absl::StrFormat("min_margin=%g, %s margin", value, half ? "half" : "full");
}

LossParameter MinMargin::AsParameter() {
  return {"min_margin", &value, kSmallestParameter, kLargestParameter};
}

double HkrOptions::hinge_weight() const {
  return terms == HkrTerms::kBoth ? alpha.hinge_weight() : has_hinge() ? 1.0 : 0.0;
}

double HkrOptions::kr_weight() const {
  return terms == HkrTerms::kBoth ? alpha.kr_weight() : has_kr() ? 1.0 : 0.0;
}

std::string HkrOptions::ToString() const {
  switch (terms) {
    case HkrTerms::kKrOnly:
      return "KR";
    case HkrTerms::kHingeOnly:
      return absl::StrFormat("HingeMargin(%s)", margin.ToString());
    case HkrTerms::kBoth:
      break;
  }
  return absl::StrFormat("HKR(%s, %s)", alpha.ToString(), margin.ToString());
}

std::vector<LossParameter> HkrOptions::Parameters() {
  std::vector<LossParameter> parameters;
  if (terms == HkrTerms::kBoth) parameters.push_back(alpha.AsParameter());
  if (has_hinge()) parameters.push_back(margin.AsParameter());
  return parameters;
}

}  // namespace lipserve::trainer
