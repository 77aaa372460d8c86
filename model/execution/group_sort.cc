// SPDX-License-Identifier: Apache-2.0
#include "model/execution/group_sort.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace lipserve {
namespace {

// The common case, written so that compilers turn it into vector minima and maxima.
template <typename Number>
void SortPairs(const Number* x, std::size_t size, Number* y) {
  for (std::size_t i = 0; i + 1 < size; i += 2) {
    const Number a = x[i];
    const Number b = x[i + 1];
    y[i] = b < a ? b : a;
    y[i + 1] = b < a ? a : b;
  }
}

// A NaN has no place in an order: where there is one, the whole group becomes NaN.
template <typename Number>
void SortGroup(std::span<Number> group) {
  if (std::any_of(group.begin(), group.end(), [](Number x) { return std::isnan(x); })) {
    std::fill(group.begin(), group.end(), std::numeric_limits<Number>::quiet_NaN());
    return;
  }
  std::sort(group.begin(), group.end());
}

template <typename Number>
void SortGroups(std::span<const Number> x, std::size_t group_size, Number* y) {
  assert(group_size >= 2 && x.size() % group_size == 0);
  if (group_size == 2) {
    SortPairs(x.data(), x.size(), y);
    return;
  }
  if (x.data() != y) std::copy(x.begin(), x.end(), y);
  for (Number* group = y; group != y + x.size(); group += group_size) {
    SortGroup(std::span<Number>(group, group_size));
  }
}

}  // namespace

void GroupSort(std::span<const float> x, std::size_t group_size, float* y) {
  SortGroups(x, group_size, y);
}

void GroupSort(std::span<const double> x, std::size_t group_size, double* y) {
  SortGroups(x, group_size, y);
}

void GroupSort(ConstMatrixView x, std::size_t group_size, MatrixView y) {
  assert(x.rows == y.rows && x.cols == y.cols && x.cols % group_size == 0);
  SortGroups(std::span<const float>(x.data, x.size()), group_size, y.data);
}

}  // namespace lipserve
