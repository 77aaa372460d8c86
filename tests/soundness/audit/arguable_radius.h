// SPDX-License-Identifier: Apache-2.0
// The largest radius and margin that can be true by the argument of the certificate: an oracle that
// shares no code with the proofs.
#ifndef TESTS_SOUNDNESS_AUDIT_ARGUABLE_RADIUS_H_
#define TESTS_SOUNDNESS_AUDIT_ARGUABLE_RADIUS_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/network/frozen_network.h"

namespace lipserve {

// Of a class at an input; both are negative if the class is another.
struct ArguableAnswer {
  double radius = 0.0;  // infinite if no row limits it
  double margin = 0.0;
};

// Threads: immutable.
class ArguableRadius {
 public:
  // `network` must outlive this.
  explicit ArguableRadius(const FrozenNetwork& network);

  // max_i min_j (f_i - f_j) / (||w_i - w_j|| K) over rows i of the class and j of others, where the
  // scores are in quadruple precision and K is the product of the layers' norms, and the sum of
  // them where branches meet, each bounded from below by power iterations or by its formula. So no
  // correct certificate is longer, but for roundings of 1e-12 relative. Likewise the margin, min_j
  // (f_i - f_j) of the best row i.
  ArguableAnswer At(std::span<const float> input, std::size_t chosen) const;

 private:
  const FrozenNetwork& network_;
  double hidden_norm_ = 1.0;
};

// A lower bound, to about 1e-12 relative, of the norm that `layer` claims: by 300 power iterations
// in float64 on its definition. 0 if the layer claims none.
double ClaimedNormFromBelow(const FrozenLayer& layer, const SampleShape& input);

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_AUDIT_ARGUABLE_RADIUS_H_
