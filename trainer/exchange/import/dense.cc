// SPDX-License-Identifier: Apache-2.0
// Gemm, MatMul and LinearClassifier. What moves, scales or shifts numbers before them goes into
// their columns and bias.
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/linear_layers.h"
#include "trainer/exchange/import/operators.h"

namespace lipserve::exchange {
namespace {

Views DenseView(View view) {
  Views views;
  views.push_back(std::move(view));
  return views;
}

// A constant matrix, [rows, columns].
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> numbers;
};

absl::StatusOr<Matrix> ConstantMatrix(const NodeArguments& arguments, std::size_t input) {
  const Tensor* const tensor = arguments.Constant(input);
  if (tensor == nullptr || tensor->dims.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input ", input, ": expected a constant matrix, got ",
        tensor == nullptr ? "numbers that depend on the input; a product of two of them has no "
                            "Lipschitz bound"
                          : DimsText(tensor->dims)));
  }
  return Matrix{.rows = static_cast<std::size_t>(tensor->dims[0]),
                .columns = static_cast<std::size_t>(tensor->dims[1]),
                .numbers = NumbersOf(*tensor)};
}

Matrix Transposed(const Matrix& matrix) {
  Matrix result{.rows = matrix.columns,
                .columns = matrix.rows,
                .numbers = std::vector<double>(matrix.numbers.size())};
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t k = 0; k < matrix.columns; ++k) {
      result.numbers[k * matrix.rows + i] = matrix.numbers[i * matrix.columns + k];
    }
  }
  return result;
}

// Product with W, [outputs, inputs], along the last axis of a sample: a dense layer of a vector, a
// 1x1 convolution of positions.
absl::StatusOr<View> LastAxisProduct(Conversion& conversion, View x, Matrix w) {
  if (x.dims.empty() || static_cast<std::size_t>(x.dims.back()) != w.columns) {
    return absl::InvalidArgumentError(absl::StrCat("expected a sample with ", w.columns,
                                                   " numbers along its last axis, got ",
                                                   DimsText(x.dims)));
  }
  if (x.dims.size() == 1) {
    return AddDense(conversion, std::move(x), std::move(w.numbers),
                    std::vector<double>(w.rows, 0.0));
  }
  const Dims before = x.dims;
  std::vector<std::size_t> channels_first = {x.dims.size() - 1};
  std::vector<std::size_t> channels_last;
  for (std::size_t axis = 0; axis + 1 < x.dims.size(); ++axis) {
    channels_first.push_back(axis);
    channels_last.push_back(axis + 1);
  }
  channels_last.push_back(0);
  View image = PermuteAxes(x, channels_first);
  Dims after = image.dims;
  after[0] = static_cast<std::int64_t>(w.rows);
  const auto positions = static_cast<std::int64_t>(image.size() / w.columns);
  const bool is_image = image.dims.size() == 3;
  const Dims flat =
      is_image ? image.dims : Dims{static_cast<std::int64_t>(w.columns), 1, positions};
  ConvolutionLayer layer = {.output_channels = w.rows};
  LIPSERVE_ASSIGN_OR_RETURN(
      View y, AddConvolution(conversion, WithDims(std::move(image), flat), layer, w.numbers,
                             std::vector<double>(w.rows, 0.0)));
  return PermuteAxes(WithDims(std::move(y), std::move(after)), channels_last);
}

}  // namespace

absl::StatusOr<View> AddDense(Conversion& conversion, View x, std::vector<double> weights,
                              std::vector<double> bias) {
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Realise(std::move(x)));
  conversion.FoldIntoProducer(x);
  const std::size_t inputs = conversion.draft().shape(x.source.value).size();
  const std::size_t outputs = bias.size();
  const Dims dims = {static_cast<std::int64_t>(outputs)};
  if (!x.IsPure() || !x.shift.empty() || !x.IsIdentity(inputs)) {
    std::vector<double> folded(outputs * inputs, 0.0);
    for (std::size_t o = 0; o < outputs; ++o) {
      const double* const row = &weights[o * x.size()];
      for (std::size_t i = 0; i < x.size(); ++i) {
        bias[o] += row[i] * x.ShiftOf(i);
        if (!x.IsConstant(i)) folded[o * inputs + x.index[i]] += row[i] * x.ScaleOf(i);
      }
    }
    weights = std::move(folded);
  }
  return conversion.AddLayer(x,
                             {.layer = EmptyDense(inputs, outputs),
                              .weights = std::move(weights),
                              .bias = std::move(bias),
                              .input = x.source.value,
                              .nodes = {}},
                             dims);
}

absl::StatusOr<Views> ConvertGemm(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(Matrix w, ConstantMatrix(arguments, 1));
  if (arguments.Int("transA", 0) != 0 || x.dims.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected vectors and transA = 0, got samples of ", DimsText(x.dims),
                     " and transA = ", arguments.Int("transA", 0), ", which mixes samples"));
  }
  if (arguments.Int("transB", 0) == 0) w = Transposed(w);
  const double alpha = arguments.Float("alpha", 1.0);
  const double beta = arguments.Float("beta", 1.0);
  if (!std::isfinite(alpha) || !std::isfinite(beta)) {
    return absl::InvalidArgumentError(
        absl::StrCat("alpha and beta: expected finite numbers, got ", alpha, " and ", beta));
  }
  if (w.columns != x.size()) {
    return absl::InvalidArgumentError(absl::StrCat("expected a matrix for vectors of ", x.size(),
                                                   " numbers, got one for ", w.columns));
  }
  if (alpha != 1.0) {
    for (double& number : w.numbers) number *= alpha;
  }
  std::vector<double> bias(w.rows, 0.0);
  if (arguments.HasInput(2)) {
    const Tensor* const constant = arguments.Constant(2);
    if (constant == nullptr) {
      return absl::InvalidArgumentError("input 2: expected a constant bias, got another");
    }
    LIPSERVE_ASSIGN_OR_RETURN(bias, BroadcastConstant(*constant, arguments.SampleDims()));
    for (double& number : bias) number *= beta;
  }
  LIPSERVE_ASSIGN_OR_RETURN(
      View y, AddDense(conversion, std::move(x), std::move(w.numbers), std::move(bias)));
  return DenseView(std::move(y));
}

absl::StatusOr<Views> ConvertMatMul(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const Matrix w, ConstantMatrix(arguments, 1));
  LIPSERVE_ASSIGN_OR_RETURN(View y, LastAxisProduct(conversion, std::move(x), Transposed(w)));
  return DenseView(std::move(y));
}

absl::StatusOr<Views> ConvertLinearClassifier(Conversion& conversion,
                                              const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  std::vector<double> weights = arguments.Floats("coefficients");
  std::vector<double> bias = arguments.Floats("intercepts");
  const Dims dims = arguments.SampleDims(1);
  const auto outputs = static_cast<std::size_t>(dims.empty() ? 0 : dims[0]);
  if (bias.empty()) bias.assign(outputs, 0.0);
  if (x.dims.size() != 1 || bias.size() != outputs || weights.size() != outputs * x.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected vectors, and coefficients and an intercept for each of ", outputs,
                     " scores, got samples of ", DimsText(x.dims), ", ", weights.size(),
                     " coefficients and ", bias.size(), " intercepts"));
  }
  LIPSERVE_ASSIGN_OR_RETURN(
      View y, AddDense(conversion, std::move(x), std::move(weights), std::move(bias)));
  // The label is what lies behind the scores; only they are converted.
  View label = y;
  Views views = DenseView(std::move(label));
  views.push_back(std::move(y));
  return views;
}

}  // namespace lipserve::exchange
