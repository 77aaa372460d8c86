// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: radii depend on the distances between the rows of the last layer.
#ifndef MODEL_CERTIFICATE_ROW_PAIRS_H_
#define MODEL_CERTIFICATE_ROW_PAIRS_H_

#include <cstddef>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "model/foundation/stop_check.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Upper bounds for the difference of two scores of the last layer, f_i - f_j.
struct PairBounds {
  Upper difference_norm;  // ||w_i - w_j||_2
  Upper absolute_norm;    // || |w_i| + |w_j| ||_2
  Upper bias;             // |b_i| + |b_j|
};

// The bounds for all pairs of rows. With one row per class they are kept in a table. With
// prototypes there are too many rows R for a table (R^2 numbers). Then Bounds() computes a pair
// from its two rows, and QuickBounds() takes ||w_i|| + ||w_j|| for both norms, by the triangle
// inequality.
//
// Threads: immutable.
class RowPairs {
 public:
  RowPairs() = default;
  // A network with a single score has a second row of zeros. Once `stop` says so, bounds are
  // infinite.
  //
  // Requires: CheckNetwork(network) is OK; the environment of ScopedStrictFloatingPoint.
  explicit RowPairs(const FrozenNetwork& network, const StopCheck& stop = {});

  std::size_t num_rows() const { return num_rows_; }
  std::size_t rows_per_class() const { return rows_per_class_; }
  std::size_t ClassOf(std::size_t row) const { return row / rows_per_class_; }

  // The first row with the same weights and bias: the two have the same score at every input.
  std::size_t FirstEqual(std::size_t row) const { return first_equal_[row]; }
  // Whether another class has a row equal to this one.
  bool IsShared(std::size_t row) const { return is_shared_[row]; }

  // Whether QuickBounds returns the same as Bounds, so that a call of Bounds afterwards gains
  // nothing.
  bool AreTabulated() const { return rows_per_class_ == 1; }

  // Time: that of two rows, unless AreTabulated().
  PairBounds Bounds(std::size_t i, std::size_t j) const;
  // Looser bounds, in constant time.
  PairBounds QuickBounds(std::size_t i, std::size_t j) const;

 private:
  std::size_t num_rows_ = 0;
  std::size_t rows_per_class_ = 1;
  std::vector<std::size_t> first_equal_;
  std::vector<bool> is_shared_;
  std::vector<PairBounds> table_;  // [num_rows, num_rows], if AreTabulated()
  // Otherwise:
  DenseLayer rows_;
  std::vector<Upper> norms_;  // ||w_i||_2
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_ROW_PAIRS_H_
