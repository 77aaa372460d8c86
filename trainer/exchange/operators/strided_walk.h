// SPDX-License-Identifier: Apache-2.0
// Offsets into row-major arrays.
#ifndef TRAINER_EXCHANGE_OPERATORS_STRIDED_WALK_H_
#define TRAINER_EXCHANGE_OPERATORS_STRIDED_WALK_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lipserve::exchange {

using Dims = std::vector<std::int64_t>;

inline std::size_t ToSize(std::int64_t dim) { return static_cast<std::size_t>(dim); }
inline std::int64_t ToDim(std::size_t size) { return static_cast<std::int64_t>(size); }

// The product of dims from `begin` on, before `end`. Requires: it fits, as of every operand.
inline std::int64_t Product(const Dims& dims, std::size_t begin, std::size_t end) {
  std::int64_t product = 1;
  for (std::size_t i = begin; i < end; ++i) product *= dims[i];
  return product;
}
inline std::size_t NumElements(const Dims& dims) { return ToSize(Product(dims, 0, dims.size())); }

// How far apart neighbours of each axis are.
inline Dims RowMajorStrides(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

// Strides that read an array of `dims` as if it were repeated to `wanted` (NumPy's broadcasting).
inline Dims BroadcastStrides(const Dims& dims, const Dims& wanted) {
  const Dims own = RowMajorStrides(dims);
  Dims strides(wanted.size(), 0);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != 1) strides[wanted.size() - dims.size() + i] = own[i];
  }
  return strides;
}

// Visits the indices of `dims` in row-major order, and knows where each one lies in an array with
// these strides.
class StridedWalk {
 public:
  StridedWalk(Dims dims, Dims strides, std::int64_t start = 0)
      : dims_(std::move(dims)),
        strides_(std::move(strides)),
        index_(dims_.size(), 0),
        offset_(start) {}

  std::size_t offset() const { return ToSize(offset_); }
  const Dims& index() const { return index_; }

  void Next() {
    for (std::size_t i = dims_.size(); i-- > 0;) {
      offset_ += strides_[i];
      if (++index_[i] < dims_[i]) return;
      offset_ -= strides_[i] * dims_[i];
      index_[i] = 0;
    }
  }

 private:
  Dims dims_;
  Dims strides_;
  Dims index_;
  std::int64_t offset_;
};

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_STRIDED_WALK_H_
