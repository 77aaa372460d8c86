// SPDX-License-Identifier: Apache-2.0
#ifndef CLIENT_VERIFY_NORMS_ENVELOPE_H_
#define CLIENT_VERIFY_NORMS_ENVELOPE_H_

#include <cassert>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace lipserve::verify {

// The lower triangle of a square matrix in which row i is zero before column first(i). Where a
// symmetric matrix has such zeros, its Cholesky factor has them too.
template <typename Number>
class Envelope {
 public:
  // Requires: first[i] <= i.
  explicit Envelope(std::vector<std::size_t> first) : first_(std::move(first)) {
    begin_.reserve(first_.size());
    std::size_t size = 0;
    for (std::size_t i = 0; i < first_.size(); ++i) {
      assert(first_[i] <= i);
      begin_.push_back(size);
      size += i + 1 - first_[i];
    }
    numbers_.resize(size);
  }

  std::size_t order() const { return first_.size(); }
  std::size_t first(std::size_t i) const { return first_[i]; }
  // The numbers from column first(i) up to the diagonal.
  std::span<Number> row(std::size_t i) { return {&numbers_[begin_[i]], i + 1 - first_[i]}; }
  std::span<const Number> row(std::size_t i) const {
    return {&numbers_[begin_[i]], i + 1 - first_[i]};
  }

 private:
  std::vector<std::size_t> first_;
  std::vector<std::size_t> begin_;  // of the rows, in numbers_
  std::vector<Number> numbers_;
};

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_NORMS_ENVELOPE_H_
