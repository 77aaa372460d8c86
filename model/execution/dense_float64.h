// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: these products decide classes and margins.
//
// y = x W^T + b with float32 weights and float64 arithmetic.
//
// Guarantee: that of ChainedProducts, n = inputs; a sample's result does not depend on its batch.
#ifndef MODEL_EXECUTION_DENSE_FLOAT64_H_
#define MODEL_EXECUTION_DENSE_FLOAT64_H_

#include <cstddef>
#include <span>

#include "model/execution/chained_products.h"

namespace lipserve {

// Threads: immutable; concurrent calls are safe if their y do not overlap.
class DenseFloat64 {
 public:
  // weights: [outputs, inputs], row-major; bias: [outputs] or empty.
  DenseFloat64(std::span<const float> weights, std::span<const float> bias, std::size_t inputs,
               std::size_t outputs);

  std::size_t inputs() const { return products_.terms(); }
  std::size_t outputs() const { return products_.outputs(); }

  // Shapes: x: [rows, inputs], y: [rows, outputs], row-major, no overlap.
  void Run(const double* x, std::size_t rows, double* y) const;

 private:
  ChainedProducts products_;
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_DENSE_FLOAT64_H_
