// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/linear_ops.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lipserve::exchange {
namespace {

// A matrix in an array: number (i, k) lies at `start` + i rows + k columns.
struct Matrix {
  std::span<const double> numbers;
  std::int64_t start = 0;
  std::int64_t rows = 0;     // distance of neighbours in a column
  std::int64_t columns = 0;  // distance of neighbours in a row
};

// y[i, j] += scale * sum over k of a[i, k] b[k, j], y row-major.
void AddProduct(const Matrix& a, const Matrix& b, std::int64_t m, std::int64_t n,
                std::int64_t depth, double scale, double* y) {
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t k = 0; k < depth; ++k) {
      const double factor = scale * a.numbers[ToSize(a.start + i * a.rows + k * a.columns)];
      const std::int64_t row = b.start + k * b.rows;
      for (std::int64_t j = 0; j < n; ++j) {
        y[i * n + j] += factor * b.numbers[ToSize(row + j * b.columns)];
      }
    }
  }
}

void CheckNumbers(OperatorCall& call, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    call.Check(!call.Has(i) || !IsInteger(call.type(i)), "expected numbers as input ", i,
               ", got integers");
  }
}

// Rows, columns of an input of Gemm, turned as its attribute says.
std::pair<std::int64_t, std::int64_t> GemmDims(OperatorCall& call, std::size_t input,
                                               const char* attribute) {
  const Dims& dims = call.dims(input);
  if (!call.Check(dims.size() == 2, "expected a matrix as input ", input, ", got ",
                  DimsText(dims))) {
    return {};
  }
  if (call.Int(attribute, 0) != 0) return {dims[1], dims[0]};
  return {dims[0], dims[1]};
}

void InferGemm(OperatorCall& call) {
  CheckNumbers(call, 3);
  const auto [m, depth] = GemmDims(call, 0, "transA");
  const auto [depth_b, n] = GemmDims(call, 1, "transB");
  call.Check(depth == depth_b, "expected matrices that fit, got ", DimsText(call.dims(0)), " and ",
             DimsText(call.dims(1)));
  for (const char* name : {"alpha", "beta"}) {
    call.Check(std::isfinite(call.Float(name, 1)), "expected a finite ", name, ", got ",
               call.Float(name, 1));
  }
  const Dims wanted = {m, n};
  if (call.Has(2)) {
    const Dims& c = call.dims(2);
    bool fits = c.size() <= 2;
    for (std::size_t i = 0; fits && i < c.size(); ++i) {
      fits = c[i] == 1 || c[i] == wanted[2 - c.size() + i];
    }
    call.Check(fits, "expected a C that fits ", DimsText(wanted), ", got ", DimsText(c));
  }
  call.Output(call.type(0), wanted);
}

Matrix GemmMatrix(OperatorCall& call, std::size_t input, const char* attribute) {
  const std::int64_t columns = call.dims(input)[1];
  Matrix matrix{.numbers = call.Numbers(input), .start = 0, .rows = columns, .columns = 1};
  if (call.Int(attribute, 0) != 0) std::swap(matrix.rows, matrix.columns);
  return matrix;
}

void ComputeGemm(OperatorCall& call) {
  const Dims dims = call.output_dims();
  std::vector<double>& y = call.NumberResult(0);
  if (call.Has(2)) {
    const double beta = call.Float("beta", 1);
    const std::span<const double> c = call.Numbers(2);
    StridedWalk walk(dims, BroadcastStrides(call.dims(2), dims));
    for (double& element : y) {
      element = beta * c[walk.offset()];
      walk.Next();
    }
  }
  const auto [m, depth] = GemmDims(call, 0, "transA");
  AddProduct(GemmMatrix(call, 0, "transA"), GemmMatrix(call, 1, "transB"), m, dims[1], depth,
             call.Float("alpha", 1), y.data());
}

// The dimensions of MatMul's stacks of matrices, with a 1 where a vector has none.
struct Stacks {
  Dims a;
  Dims b;
  Dims batch;
};

Stacks MatMulStacks(OperatorCall& call) {
  Stacks stacks{.a = call.dims(0), .b = call.dims(1), .batch = {}};
  if (!call.Check(!stacks.a.empty() && !stacks.b.empty(),
                  "expected vectors or matrices, got a number")) {
    return stacks;
  }
  if (stacks.a.size() == 1) stacks.a.insert(stacks.a.begin(), 1);
  if (stacks.b.size() == 1) stacks.b.push_back(1);
  call.Check(stacks.a.back() == stacks.b[stacks.b.size() - 2], "expected matrices that fit, got ",
             DimsText(call.dims(0)), " and ", DimsText(call.dims(1)));
  const std::size_t rank = std::max(stacks.a.size(), stacks.b.size()) - 2;
  stacks.batch.assign(rank, 1);
  for (const Dims* dims : {&stacks.a, &stacks.b}) {
    const std::size_t skipped = rank - (dims->size() - 2);
    for (std::size_t i = 0; i + 2 < dims->size(); ++i) {
      std::int64_t& dim = stacks.batch[skipped + i];
      call.Check(dim == (*dims)[i] || dim == 1 || (*dims)[i] == 1, "expected stacks that fit, got ",
                 DimsText(call.dims(0)), " and ", DimsText(call.dims(1)));
      if (dim == 1) dim = (*dims)[i];
    }
  }
  return stacks;
}

void InferMatMul(OperatorCall& call) {
  CheckNumbers(call, 2);
  const Stacks stacks = MatMulStacks(call);
  if (!call.ok()) return;
  Dims dims = stacks.batch;
  if (call.rank(0) > 1) dims.push_back(stacks.a[stacks.a.size() - 2]);
  if (call.rank(1) > 1) dims.push_back(stacks.b.back());
  call.Output(call.type(0), std::move(dims));
}

void ComputeMatMul(OperatorCall& call) {
  const Stacks stacks = MatMulStacks(call);
  const std::int64_t m = stacks.a[stacks.a.size() - 2];
  const std::int64_t depth = stacks.a.back();
  const std::int64_t n = stacks.b.back();
  // Where the matrix of each index of the stack starts.
  const auto starts = [&](const Dims& dims, std::int64_t matrix) {
    Dims strides = BroadcastStrides(Dims(dims.begin(), dims.end() - 2), stacks.batch);
    for (std::int64_t& stride : strides) stride *= matrix;
    return StridedWalk(stacks.batch, std::move(strides));
  };
  StridedWalk at_a = starts(stacks.a, m * depth);
  StridedWalk at_b = starts(stacks.b, depth * n);
  const std::span<const double> a = call.Numbers(0);
  const std::span<const double> b = call.Numbers(1);
  std::vector<double>& y = call.NumberResult(0);
  for (std::size_t start = 0; start < y.size(); start += ToSize(m * n)) {
    AddProduct({a, ToDim(at_a.offset()), depth, 1}, {b, ToDim(at_b.offset()), n, 1}, m, n, depth,
               1.0, &y[start]);
    at_a.Next();
    at_b.Next();
  }
}

void InferBatchNormalization(OperatorCall& call) {
  CheckNumbers(call, 5);
  call.Check(call.Int("training_mode", 0) == 0,
             "expected training_mode 0, got 1, which mixes the images of a batch: export the model "
             "in evaluation mode");
  if (!call.Check(call.rank(0) >= 2, "expected an input [N, C, ...], got ",
                  DimsText(call.dims(0)))) {
    return;
  }
  const Dims channels = {call.dims(0)[1]};
  for (std::size_t i = 1; i < 5; ++i) {
    call.Check(call.dims(i) == channels, "expected ", channels[0], " numbers as input ", i,
               ", got ", DimsText(call.dims(i)));
  }
  const double epsilon = call.Float("epsilon", 1e-5F);
  call.Check(std::isfinite(epsilon) && epsilon >= 0, "expected an epsilon from 0 on, got ",
             epsilon);
  if (call.ok() && call.tensor(4) != nullptr) {
    for (const double variance : call.Numbers(4)) {
      call.Check(variance + epsilon > 0, "expected variances from 0 on, got ", variance,
                 ": the file is damaged, export the model again");
    }
  }
  call.Output(call.type(0), call.dims(0));
}

// y = scale (x - mean) / sqrt(variance + epsilon) + shift, per channel.
void ComputeBatchNormalization(OperatorCall& call) {
  const std::span<const double> x = call.Numbers(0);
  const std::span<const double> scale = call.Numbers(1);
  const std::span<const double> shift = call.Numbers(2);
  const std::span<const double> mean = call.Numbers(3);
  const std::span<const double> variance = call.Numbers(4);
  const double epsilon = call.Float("epsilon", 1e-5F);
  const std::size_t area = ToSize(Product(call.dims(0), 2, call.rank(0)));
  std::vector<double>& y = call.NumberResult(0);
  for (std::size_t k = 0; k < y.size(); ++k) {
    const std::size_t c = k / area % scale.size();
    y[k] = scale[c] * (x[k] - mean[c]) / std::sqrt(variance[c] + epsilon) + shift[c];
  }
}

}  // namespace

std::map<std::string, Operator> LinearOperators() {
  return {
      {"Gemm", {2, 3, InferGemm, ComputeGemm}},
      {"MatMul", {2, 2, InferMatMul, ComputeMatMul}},
      {"BatchNormalization", {5, 5, InferBatchNormalization, ComputeBatchNormalization}},
  };
}

}  // namespace lipserve::exchange
