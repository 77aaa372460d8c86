// SPDX-License-Identifier: Apache-2.0
// GroupSort: sorts the values of each group of neighbouring channels in ascending order, at every
// position of an image. It only moves values, so it keeps the gradient norm that ReLU loses.
// GroupSort2 is group_size 2, FullSort one group of all channels.
//
//   forward   y_i = x_pi(i)        pi sorts the group, equal values keep their order
//   backward  dx_pi(i) = dy_i      the same moves, backwards
//
// Source: Anil, Lucas, Grosse 2019, "Sorting out Lipschitz function approximation",
//         arXiv:1811.05381.
#ifndef TRAINER_LAYERS_GROUP_SORT_H_
#define TRAINER_LAYERS_GROUP_SORT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x, y: [N, H*W*C], channels last.
// Guarantee: ||y(a) - y(b)||_2 <= ||a - b||_2 and ||dx||_2 = ||dy||_2, exact in float32 (no
//            rounding).
class GroupSort final : public Layer {
 public:
  // Requires: group_size >= 1 divides the channels.
  GroupSort(SampleShape shape, std::size_t group_size);

  std::string type() const override;
  SampleShape output_shape() const override { return shape_; }
  std::size_t group_size() const { return group_size_; }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override { return GroupSortLayer{group_size_}; }

 private:
  SampleShape shape_;
  std::size_t group_size_;
  // Sort keys of one group: value in the upper half, position in the lower.
  std::vector<std::uint64_t> keys_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_GROUP_SORT_H_
