// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/reference_network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipserve/v1/sealed_file.pb.h"

namespace lipserve {
namespace {

std::vector<double> ParseFloats(const std::string& bytes) {
  std::vector<float> floats(bytes.size() / sizeof(float));
  if (floats.empty()) return {};  // memcpy wants no null, not even for nothing
  std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
  return {floats.begin(), floats.end()};
}

// W W^T, or W^T W if that is smaller, as a square matrix of the returned size.
std::vector<double> SmallGram(const std::vector<double>& w, std::size_t rows, std::size_t cols,
                              std::size_t& size) {
  size = std::min(rows, cols);
  const std::size_t depth = std::max(rows, cols);
  const auto at = [&](std::size_t i, std::size_t k) {
    return rows <= cols ? w[i * cols + k] : w[k * cols + i];
  };
  std::vector<double> gram(size * size, 0.0);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      for (std::size_t k = 0; k < depth; ++k) gram[i * size + j] += at(i, k) * at(j, k);
    }
  }
  return gram;
}

// One Jacobi rotation that zeroes a[p, q] of the symmetric n x n matrix `a`.
void Rotate(std::vector<double>& a, std::size_t n, std::size_t p, std::size_t q) {
  const double apq = a[p * n + q];
  if (apq == 0.0) return;
  const double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
  const double t = (theta >= 0.0 ? 1.0 : -1.0) / (std::abs(theta) + std::hypot(theta, 1.0));
  const double c = 1.0 / std::hypot(t, 1.0);
  const double s = t * c;
  for (std::size_t k = 0; k < n; ++k) {
    const double kp = a[k * n + p];
    const double kq = a[k * n + q];
    a[k * n + p] = c * kp - s * kq;
    a[k * n + q] = s * kp + c * kq;
  }
  for (std::size_t k = 0; k < n; ++k) {
    const double pk = a[p * n + k];
    const double qk = a[q * n + k];
    a[p * n + k] = c * pk - s * qk;
    a[q * n + k] = s * pk + c * qk;
  }
}

}  // namespace

double LargestSingularValue(const std::vector<double>& w, std::size_t rows, std::size_t cols) {
  std::size_t n = 0;
  std::vector<double> a = SmallGram(w, rows, cols, n);
  constexpr int kSweeps = 30;  // convergence is quadratic; ten are plenty
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) Rotate(a, n, p, q);
    }
  }
  double largest = 0.0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, a[i * n + i]);
  return std::sqrt(largest);
}

ReferenceNetwork::Dense ReferenceNetwork::ParseDense(const v1::FrozenDense& proto) {
  return {.inputs = static_cast<std::size_t>(proto.inputs()),
          .outputs = static_cast<std::size_t>(proto.outputs()),
          .weights = ParseFloats(proto.weights_fp32()),
          .bias = ParseFloats(proto.bias_fp32())};
}

absl::StatusOr<ReferenceNetwork> ReferenceNetwork::Read(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  v1::SealedFile file;
  v1::ModelContent content;
  if (!file.ParseFromIstream(&stream) || !content.ParseFromString(file.content())) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read as a model"));
  }
  ReferenceNetwork network;
  network.digest_ = file.content_sha256();
  for (const v1::FrozenLayer& proto : content.layers()) {
    Layer layer;
    if (proto.has_dense()) {
      layer.dense = ParseDense(proto.dense());
    } else if (proto.has_group_sort()) {
      layer.group_size = static_cast<std::size_t>(proto.group_sort().group_size());
    } else if (!proto.has_flatten()) {
      return absl::UnimplementedError(absl::StrCat(path, ": a layer this reference lacks"));
    }
    network.layers_.push_back(std::move(layer));
  }
  return network;
}

std::vector<double> ReferenceNetwork::Scores(std::span<const float> input) const {
  std::vector<double> x(input.begin(), input.end());
  for (const Layer& layer : layers_) {
    const Dense& dense = layer.dense;
    if (dense.outputs > 0) {
      std::vector<double> y = dense.bias;
      y.resize(dense.outputs, 0.0);
      for (std::size_t i = 0; i < dense.outputs; ++i) {
        for (std::size_t k = 0; k < dense.inputs; ++k) {
          y[i] += dense.weights[i * dense.inputs + k] * x[k];
        }
      }
      x = std::move(y);
    }
    if (layer.group_size == 0) continue;
    for (auto group = x.begin(); group != x.end();) {
      const auto end = group + static_cast<std::ptrdiff_t>(layer.group_size);
      std::sort(group, end);
      group = end;
    }
  }
  return x;
}

double ReferenceNetwork::LipschitzConstant() const {
  double product = 1.0;
  for (const Layer& layer : layers_) {
    const Dense& dense = layer.dense;
    if (dense.outputs == 0) continue;
    product *= LargestSingularValue(dense.weights, dense.outputs, dense.inputs);
  }
  return product;
}

}  // namespace lipserve
