// SPDX-License-Identifier: Apache-2.0
// What is known of a value of an ONNX graph while it is converted: each of its numbers is a number
// of the frozen network, scaled and shifted, or a constant. Operators that only move numbers, and
// those that scale and shift them, change the view and add no layer.
//
// Example: a value v of [2, 3, 3] after Transpose(0, 2, 3, 1) is a view of dims {3, 3, 2} whose
// element (h, w, c) has the index of element (c, h, w) of v.
#ifndef TRAINER_EXCHANGE_IMPORT_VIEW_H_
#define TRAINER_EXCHANGE_IMPORT_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/network/frozen_network.h"

namespace lipserve::exchange {

// Shape of one sample, without the dimension of the batch.
using Dims = std::vector<std::int64_t>;

// Where the numbers of a view are.
struct Source {
  enum class Kind {
    kValue,   // element i is number i of a value of the draft network
    kOrder,   // element i is an order statistic of some numbers of the value (order_statistics.h)
    kParts,   // element 2 i is the positive part of number i, element 2 i + 1 the negative one
    kSquare,  // element i is the square of number i
  };
  Kind kind = Kind::kValue;
  std::size_t value = 0;

  friend bool operator==(const Source&, const Source&) = default;
};

inline constexpr std::uint32_t kNoElement = std::numeric_limits<std::uint32_t>::max();

struct View {
  Source source;
  Dims dims;
  std::vector<std::uint32_t> index;     // an element of the source each; kNoElement: a constant
  std::vector<double> scale = {};       // or empty: all 1
  std::vector<double> shift = {};       // or empty: all 0. The constant itself where there is one
  std::vector<std::size_t> nodes = {};  // of the graph, that no layer stands for yet; ascending
  // Whether nothing but this view can reach the layer that makes the source.
  bool is_exclusive = false;

  std::size_t size() const { return index.size(); }
  double ScaleOf(std::size_t i) const { return scale.empty() ? 1.0 : scale[i]; }
  double ShiftOf(std::size_t i) const { return shift.empty() ? 0.0 : shift[i]; }
  bool IsConstant(std::size_t i) const { return index[i] == kNoElement; }
  bool HasConstants() const;
  // Whether no number is scaled or shifted; constants may stand in `shift`.
  bool IsPure() const;
  // Whether element i is number i, of `source_size` numbers.
  bool IsIdentity(std::size_t source_size) const;
};

// Numbers in a sample of `dims`.
std::size_t SizeOf(std::span<const std::int64_t> dims);

// "[2, 3]".
std::string DimsText(std::span<const std::int64_t> dims);

// [C, H, W] of a sample: a vector becomes channels, a sequence [C, L] becomes [C, 1, L], and what
// has more than three axes a vector.
SampleShape ShapeOf(std::span<const std::int64_t> dims);

// The whole of a value.
View WholeValue(std::size_t value, const SampleShape& shape, Dims dims);

// Adds nodes; they stay in ascending order, each once.
void AddNodes(const std::vector<std::size_t>& from, std::vector<std::size_t>& nodes);

// Element i of the result is element positions[i] of `view`, or the constant `fill` where that is
// kNoElement. Requires: as many positions as `dims` has numbers.
View Select(const View& view, Dims dims, std::span<const std::uint32_t> positions, double fill = 0);

// Along each axis, the positions that are taken; -1 for `fill`.
View TakeAlongAxes(const View& view, const std::vector<std::vector<std::int64_t>>& positions,
                   double fill = 0);

// Axis k of the result is axis axes[k] of `view`.
View PermuteAxes(const View& view, std::span<const std::size_t> axes);

// The same numbers under other dims. Requires: as many.
View WithDims(View view, Dims dims);

// `view` repeated along axes of size 1, as ONNX broadcasts.
//
// Errors: InvalidArgument if it does not broadcast to `dims`.
absl::StatusOr<View> BroadcastTo(const View& view, const Dims& dims);

// For each channel of a source of `shape`, the number that values[i] gives to the elements of that
// channel; `unseen` for channels without an element. Empty if they differ within a channel.
std::vector<double> PerChannel(const View& view, const SampleShape& shape,
                               std::span<const double> values, double unseen);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_VIEW_H_
