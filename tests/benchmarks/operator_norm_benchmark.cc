// SPDX-License-Identifier: Apache-2.0
// What a proven norm costs and how close it comes: for each layer the method, how far the bound is
// above an estimate of the norm from below (so the true slack is smaller), and processor time of
// one thread to search the bound, as the trainer does, and to check it, as a server does at load.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <ctime>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/certificate/convolution_gram.h"
#include "model/certificate/convolution_norm.h"
#include "model/certificate/convolution_operator.h"
#include "model/certificate/lanczos.h"
#include "model/certificate/operator_norm.h"
#include "tests/model/dense_convolution.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_rows.h"

namespace lipserve {
namespace {

// Others share the machine: processor time, least of three.
double Seconds(const std::function<void()>& work) {
  double least = 1e300;
  for (int round = 0; round < 3; ++round) {
    const std::clock_t begin = std::clock();
    work();
    least = std::min(least, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  return least;
}

void Report(const std::string& layer, const std::string& method, double bound, double from_below,
            double search, double check) {
  absl::PrintF("%-40s %-34s %9.6f %8.1e %8.2f %8.2f\n", layer, method, bound,
               bound / from_below - 1.0, search, check);
}

void ReportDense(const std::string& name, const std::vector<float>& weights, std::size_t rows) {
  const ConstMatrixView w{weights.data(), rows, weights.size() / rows};
  const SymmetricMap gram = [&](std::span<const double> x, std::span<double> y) {
    std::fill(y.begin(), y.end(), 0.0);
    for (std::size_t r = 0; r < w.rows; ++r) {
      double product = 0.0;
      for (std::size_t k = 0; k < w.cols; ++k) product += static_cast<double>(w.row(r)[k]) * x[k];
      for (std::size_t k = 0; k < w.cols; ++k) y[k] += static_cast<double>(w.row(r)[k]) * product;
    }
  };
  const double from_below = std::sqrt(LargestEigenvalueEstimate(w.cols, gram, 400));
  double bound = 0.0;
  const double search = Seconds([&] { bound = *BoundOperatorNorm(w); });
  const double check = Seconds([&] { ProveOperatorNormAtMost(w, bound).IgnoreError(); });
  Report(absl::StrCat(name, " ", w.rows, " x ", w.cols), "Cholesky and Gram iteration", bound,
         from_below, search, check);
}

void ReportConvolution(std::size_t channels_in, std::size_t channels_out, std::size_t size,
                       const WindowAxis& axis, PaddingMode mode = PaddingMode::kZero) {
  std::mt19937_64 random(1);
  ConvolutionLayer layer =
      RandomConvolution(random, {channels_in, size, size}, channels_out, axis, mode);
  const ConvolutionOperator map(layer, ConvolutionOperator::Taps::kSigned);
  std::vector<double> image(map.outputs());
  const SymmetricMap gram = [&](std::span<const double> x, std::span<double> y) {
    map.Apply(x, image);
    map.ApplyTransposed(image, y);
  };
  const double from_below = std::ldexp(
      std::sqrt(LargestEigenvalueEstimate(map.inputs(), gram, 400)), -ScaleExponent(layer));
  const ConvolutionNormMethod method = *ChooseConvolutionNormMethod(layer);
  std::string how = MethodName(method);
  if (method == ConvolutionNormMethod::kBandedGram) {
    const GramPlan plan = CheapestGramPlan(layer);
    how = absl::StrCat("banded, order ", plan.order, ", band ", plan.half_bandwidth);
  }
  double bound = 0.0;
  const double search = Seconds([&] { bound = *BoundConvolutionNorm(layer); });
  const double check = Seconds([&] { ProveConvolutionNormAtMost(layer, bound).IgnoreError(); });
  Report(DescribeLayer(layer), how, bound, from_below, search, check);
}

}  // namespace
}  // namespace lipserve

int main() {
  using lipserve::PaddingMode;
  absl::PrintF("%-40s %-34s %9s %8s %8s %8s\n", "layer", "method", "bound", "slack", "search s",
               "check s");
  std::mt19937_64 random(1);
  lipserve::ReportDense("orthonormal", lipserve::OrthonormalRows(random, 512, 784), 512);
  lipserve::ReportDense("Gaussian", lipserve::RandomFloats(random, 512 * 784, 0.04), 512);
  const lipserve::WindowAxis same = lipserve::SameAxis(3);
  lipserve::WindowAxis strided = same;
  strided.stride = 2;
  lipserve::ReportConvolution(8, 8, 28, same);
  lipserve::ReportConvolution(16, 16, 28, same);
  lipserve::ReportConvolution(16, 16, 14, same);
  lipserve::ReportConvolution(16, 32, 28, strided);
  lipserve::ReportConvolution(16, 16, 28, same, PaddingMode::kReflect);
  lipserve::ReportConvolution(16, 16, 28, same, PaddingMode::kCircular);
  lipserve::ReportConvolution(64, 64, 32, same);
  return 0;
}
