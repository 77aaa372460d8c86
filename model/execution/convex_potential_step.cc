// SPDX-License-Identifier: Apache-2.0
#include "model/execution/convex_potential_step.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <variant>

#include "model/network/adjoint.h"

namespace lipserve {
namespace {

template <typename Number>
using StepPointer = std::unique_ptr<const LayerStep<Number>>;

template <typename Number>
class ConvexPotentialStep final : public LayerStep<Number> {
 public:
  ConvexPotentialStep(StepPointer<Number> map, StepPointer<Number> adjoint, std::size_t size,
                      std::size_t hidden_size, std::size_t rows_at_once)
      : map_(std::move(map)),
        adjoint_(std::move(adjoint)),
        size_(size),
        hidden_size_(hidden_size),
        rows_at_once_(rows_at_once),
        hidden_bytes_(AlignUp(rows_at_once * hidden_size * sizeof(Number))) {}

  void Run(const Number* x, std::size_t rows, Number* y, std::byte* scratch) const override {
    for (std::size_t first = 0; first < rows; first += rows_at_once_) {
      const std::size_t count = std::min(rows_at_once_, rows - first);
      RunTogether(x + first * size_, count, y + first * size_, scratch);
    }
  }

  std::size_t scratch_bytes() const override {
    return hidden_bytes_ + std::max(map_->scratch_bytes(), adjoint_->scratch_bytes());
  }

 private:
  static std::size_t AlignUp(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  void RunTogether(const Number* x, std::size_t rows, Number* y, std::byte* scratch) const {
    auto* const hidden = reinterpret_cast<Number*>(scratch);
    map_->Run(x, rows, hidden, scratch + hidden_bytes_);
    for (std::size_t k = 0; k < rows * hidden_size_; ++k) {
      hidden[k] = hidden[k] > 0 ? hidden[k] : Number{0};
    }
    adjoint_->Run(hidden, rows, y, scratch + hidden_bytes_);
    for (std::size_t k = 0; k < rows * size_; ++k) y[k] = x[k] - y[k];
  }

  StepPointer<Number> map_;
  StepPointer<Number> adjoint_;
  std::size_t size_;         // of a sample
  std::size_t hidden_size_;  // of T x
  std::size_t rows_at_once_;
  std::size_t hidden_bytes_;
};

template <typename Number>
StepPointer<Number> StepOf(const DenseLayer& inner, const LinearSteps<Number>& linear) {
  return std::make_unique<ConvexPotentialStep<Number>>(linear.Dense(inner),
                                                       linear.Dense(Adjoint(inner)), inner.inputs,
                                                       inner.outputs, linear.rows_at_once());
}

template <typename Number>
StepPointer<Number> StepOf(const ConvolutionLayer& inner, const LinearSteps<Number>& linear) {
  return std::make_unique<ConvexPotentialStep<Number>>(
      linear.Convolution(inner), linear.Convolution(Adjoint(inner)), inner.input.size(),
      inner.output().size(), linear.rows_at_once());
}

}  // namespace

template <typename Number>
std::unique_ptr<const LayerStep<Number>> ConvexPotentialStepOf(const ConvexPotentialLayer& layer,
                                                               const LinearSteps<Number>& linear) {
  return std::visit([&](const auto& inner) { return StepOf<Number>(inner, linear); }, layer.inner);
}

template StepPointer<float> ConvexPotentialStepOf(const ConvexPotentialLayer&,
                                                  const LinearSteps<float>&);
template StepPointer<double> ConvexPotentialStepOf(const ConvexPotentialLayer&,
                                                   const LinearSteps<double>&);

}  // namespace lipserve
