// SPDX-License-Identifier: Apache-2.0
// Shared by the losses of the HKR family: how alpha weighs their two terms and where their hinge
// bends. The peer libraries changed both silently, so a recipe must name its convention.
//
//   hinge weight   alpha hinge - KR                alpha >= 0        deel-lip
//   convex         alpha hinge - (1 - alpha) KR    alpha in [0, 1]   deel-torchlip, orthogonium
//   KR divisor     hinge - KR / alpha              alpha > 0         deel-lip's MulticlassSoftHKR
//
//   full margin    the hinge bends at min_margin                     deel-lip up to 1.3
//   half margin    the hinge bends at min_margin / 2                 deel-lip from 1.4, torchlip
#ifndef TRAINER_LOSSES_HKR_TERMS_H_
#define TRAINER_LOSSES_HKR_TERMS_H_

#include <string>

#include "trainer/losses/loss.h"

namespace lipserve::trainer {

enum class AlphaConvention { kHingeWeight, kConvex, kKrDivisor };

// The weights of hinge and KR in a loss.
struct Alpha {
  double value = 1.0;
  AlphaConvention convention = AlphaConvention::kHingeWeight;

  double hinge_weight() const;
  double kr_weight() const;

  // "alpha=10", "alpha=0.5 convex", "alpha=10 dividing KR".
  std::string ToString() const;
  // For schedules, as "alpha".
  LossParameter AsParameter();
};

// The margin that a hinge asks for.
struct MinMargin {
  double value = 1.0;
  bool half = false;

  // Where the hinge bends.
  double bend() const { return half ? value / 2.0 : value; }

  // "min_margin=1, full margin".
  std::string ToString() const;
  // For schedules, as "min_margin".
  LossParameter AsParameter();
};

// Which terms a loss has. One that it lacks is neither computed nor reported.
enum class HkrTerms { kBoth, kKrOnly, kHingeOnly };

// A whole loss of the family.
struct HkrOptions {
  HkrTerms terms = HkrTerms::kBoth;
  Alpha alpha;       // only with both terms
  MinMargin margin;  // not with KR only

  bool has_kr() const { return terms != HkrTerms::kHingeOnly; }
  bool has_hinge() const { return terms != HkrTerms::kKrOnly; }
  double hinge_weight() const;
  double kr_weight() const;

  // "HKR(alpha=10, min_margin=1, full margin)", "KR", "HingeMargin(min_margin=1, half margin)".
  std::string ToString() const;
  // The parameters of the terms that the loss has.
  std::vector<LossParameter> Parameters();
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_HKR_TERMS_H_
