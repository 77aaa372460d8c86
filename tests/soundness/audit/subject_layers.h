// SPDX-License-Identifier: Apache-2.0
// Random layers of every kind, and what they make of a random image.
#ifndef TESTS_SOUNDNESS_AUDIT_SUBJECT_LAYERS_H_
#define TESTS_SOUNDNESS_AUDIT_SUBJECT_LAYERS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "model/certificate/layer_bounds.h"
#include "model/network/pixel_scaling.h"
#include "tests/model/dense_convolution.h"
#include "tests/model/margin_gradient.h"
#include "tests/model/orthonormal_rows.h"
#include "tests/soundness/attacks/white_box.h"
#include "tests/soundness/audit/arguable_radius.h"
#include "tests/soundness/audit/random_subject.h"

namespace lipserve {

// A network under construction, and what its layers make of the reference image.
class SubjectLayers {
 protected:
  using Vector = std::vector<double>;

  SubjectLayers(std::uint64_t seed, SubjectKind kind, bool aligned)
      : random_(seed), kind_(kind), aligned_(aligned) {}

  static constexpr std::size_t kLargestSample = 400;

  std::size_t Below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }
  bool Chance(std::size_t one_in) { return Below(one_in) == 0; }
  double Uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  // One of the divisors of `number`; above 1 if there is one and `above_one`.
  std::size_t Divisor(std::size_t number, bool above_one = false) {
    std::vector<std::size_t> divisors;
    for (std::size_t d = above_one && number > 1 ? 2 : 1; d <= number; ++d) {
      if (number % d == 0) divisors.push_back(d);
    }
    return divisors[Below(divisors.size())];
  }

  void DrawImage() {
    constexpr std::size_t kLengths[] = {3, 4, 5, 6, 8};
    shape_ = {.channels = aligned_ ? 2 * (1 + Below(3)) : 1 + Below(4),
              .height = kLengths[Below(5)],
              .width = kLengths[Below(5)]};
    network_.input_shape = shape_;
    constexpr double kDivisors[] = {255.0, 255.0, 1.0, 128.0, 0x1p-20, 1e6, 0.3};
    divisor_ = kDivisors[Below(7)];
    const PixelScaling scaling(divisor_);
    for (std::size_t k = 0; k < shape_.size(); ++k) {
      image_.push_back(static_cast<std::uint8_t>(Below(256)));
      reference_.push_back(scaling[image_.back()]);
    }
    x_.assign(reference_.begin(), reference_.end());
    values_ = {x_};
    shapes_ = {shape_};
  }

  // The number of the last value.
  std::size_t Last() const { return network_.layers.size(); }
  // The next layer reads this value.
  void Continue(std::size_t value) {
    read_ = value;
    x_ = values_[value];
    shape_ = shapes_[value];
  }
  void Add(FrozenLayer layer) {
    const auto* const sum = std::get_if<SumLayer>(&layer);
    x_ = std::visit(
        TracedLayer<>{values_[read_], shape_, sum != nullptr ? &values_[sum->other] : nullptr},
        layer);
    shape_ = OutputShape(layer, shape_);
    network_.inputs.push_back(read_);
    network_.layers.push_back(std::move(layer));
    values_.push_back(x_);
    shapes_.push_back(shape_);
    read_ = Last();
  }
  bool IsChain() const {
    for (std::size_t l = 0; l < network_.inputs.size(); ++l) {
      if (network_.inputs[l] != l) return false;
    }
    return true;
  }
  void Flatten() {
    if (shape_.height * shape_.width > 1 || Chance(2)) Add(FlattenLayer{});
  }

  // Root mean square of the numbers that the next layer reads.
  double Size() const {
    const double norm = Norm(x_) / std::sqrt(static_cast<double>(x_.size()));
    return norm > 0.0 ? norm : 1.0;
  }

  // `weights` with zeros where float32 would be subnormal, and some with a wide range of exponents.
  std::vector<float> Weights(std::vector<float> weights) {
    const bool wide = Chance(5);
    const double range = Uniform(0.0, 60.0);
    const float zero_share = Chance(4) ? 0.3F : 0.0F;
    for (float& weight : weights) {
      if (wide)
        weight = static_cast<float>(std::ldexp(weight, -static_cast<int>(Uniform(0.0, range))));
      if (Uniform(0.0, 1.0) < static_cast<double>(zero_share)) weight = 0.0F;
      if (!std::isnormal(weight)) weight = 0.0F;
    }
    return weights;
  }
  // Of random size, beside `size`: what the layer's outputs are without it.
  std::vector<float> Bias(std::size_t count, double size) {
    const double scale = size * Uniform(0.1, 1.0);
    if (Chance(3) || !(scale > 0.0)) return {};
    std::vector<float> bias = RandomFloats(random_, count, scale);
    for (float& b : bias) b = std::isnormal(b) ? b : 0.0F;
    return bias;
  }
  // 1, or a power of two far from it. The product of all stays within 2^+-60.
  float Scale() {
    if (!Chance(4)) return 1.0F;
    int exponent = static_cast<int>(Below(81)) - 40;
    exponent = std::clamp(exponent, -60 - exponent_, 60 - exponent_);
    exponent_ += exponent;
    return std::ldexp(1.0F, exponent);
  }

  // The layer with weights and a bias of the size of its outputs, both times a scale.
  template <typename Layer>
  Layer Dressed(Layer layer, std::size_t biases) {
    const float scale = Scale();
    for (float& weight : layer.weights) weight *= scale;
    layer.bias.clear();
    const Vector y = LayerDefinition<double>{x_, shape_}(layer);
    layer.bias = Bias(biases, Norm(y) / std::sqrt(static_cast<double>(y.size())));
    return layer;
  }
  template <typename Layer>
  void AddClaimed(Layer layer) {
    FrozenLayer frozen(std::move(layer));
    const absl::Status status = ClaimOperatorNorm(frozen);
    if (!status.ok()) std::abort();
    Add(std::move(frozen));
  }

  void AddDense(bool gain) {
    Flatten();
    if (shape_.height * shape_.width > 1) Add(FlattenLayer{});
    const std::size_t inputs = shape_.size();
    DenseLayer dense;
    dense.inputs = inputs;
    dense.outputs = 2 * (1 + Below(16));
    const double size = std::exp2(Uniform(-3.0, 1.0)) / std::sqrt(static_cast<double>(inputs));
    if (gain) {
      dense.weights = Weights(RandomFloats(random_, inputs * dense.outputs, size));
    } else {
      dense.outputs = std::min(inputs, dense.outputs);
      dense.weights = OrthonormalRows(random_, dense.outputs, inputs);
    }
    AddClaimed(Dressed(std::move(dense), dense.outputs));
  }

  void AddConvolution(PaddingMode mode) {
    ConvolutionLayer layer{.input = shape_, .padding_mode = mode};
    layer.groups = Divisor(shape_.channels);
    do {
      layer.vertical = RandomAxis(random_, mode, shape_.height, 3);
      layer.horizontal = RandomAxis(random_, mode, shape_.width, 3);
      layer.output_channels = layer.groups * (1 + Below(4));
    } while (layer.output().size() > kLargestSample);
    const double size =
        std::exp2(Uniform(-2.0, 1.0)) / std::sqrt(static_cast<double>(layer.fan_in()));
    layer.weights = Weights(RandomFloats(random_, layer.output_channels * layer.fan_in(), size));
    AddClaimed(Dressed(std::move(layer), layer.output_channels));
  }

  // To a number of channels that `multiple` divides.
  void WidenTo(std::size_t multiple) {
    if (shape_.channels % multiple == 0) return;
    Rotate((shape_.channels / multiple + 1) * multiple);
  }
  // An isometry to at least as many channels; it mixes signs.
  void Rotate(std::size_t channels) {
    ConvolutionLayer layer{.input = shape_, .output_channels = channels};
    const std::vector<float> rows = OrthonormalRows(random_, shape_.channels, channels);
    for (std::size_t o = 0; o < channels; ++o) {
      for (std::size_t c = 0; c < shape_.channels; ++c) {
        layer.weights.push_back(rows[c * channels + o]);
      }
    }
    AddClaimed(Dressed(std::move(layer), channels));
  }

  void AddPotential(bool convolution, bool gain) {
    const double norm = gain ? Uniform(0.5, 2.5) : std::sqrt(2.0);
    ConvexPotentialLayer potential;
    if (convolution) {
      ConvolutionLayer inner{.input = shape_};
      inner.padding_mode = Chance(2) ? PaddingMode::kZero : PaddingMode::kCircular;
      inner.groups = Divisor(shape_.channels);
      inner.output_channels = inner.groups * (1 + Below(3));
      inner.vertical = KeepingAxis(shape_.height);
      inner.horizontal = KeepingAxis(shape_.width);
      inner.weights = Weights(RandomFloats(random_, inner.output_channels * inner.fan_in(), 1.0));
      potential.inner = OfNorm(std::move(inner), norm, inner.output_channels);
    } else {
      Flatten();
      if (shape_.height * shape_.width > 1) Add(FlattenLayer{});
      DenseLayer inner;
      inner.inputs = shape_.size();
      inner.outputs = 1 + Below(12);
      inner.weights = Weights(RandomFloats(random_, inner.inputs * inner.outputs, 1.0));
      potential.inner = OfNorm(std::move(inner), norm, inner.outputs);
    }
    AddClaimed(std::move(potential));
  }
  WindowAxis KeepingAxis(std::size_t length) {
    WindowAxis axis{.size = 1 + Below(std::min<std::size_t>(length, 3)), .dilation = 1 + Below(2)};
    if (axis.extent() > length) axis.dilation = 1;
    axis.padding_before = Below(axis.extent());
    axis.padding_after = axis.extent() - 1 - axis.padding_before;
    return axis;
  }
  // The inner layer scaled to about this norm, its bias in favour of active outputs.
  template <typename Inner>
  Inner OfNorm(Inner inner, double norm, std::size_t biases) {
    const double now = ClaimedNormFromBelow(FrozenLayer(inner), shape_);
    for (float& weight : inner.weights) {
      if (now > 0.0) weight = static_cast<float>(static_cast<double>(weight) * norm / now);
      if (!std::isnormal(weight)) weight = 0.0F;
    }
    inner.bias = Bias(biases, Size() * norm);
    if (Chance(2)) {
      for (float& b : inner.bias) b = std::fabs(b) * 4.0F;
    }
    return inner;
  }

  // Two branches of one value, or a value and a branch of it.
  void AddSum(bool gain) {
    const std::size_t start = Last();
    if (aligned_) {  // C x + C x: the two are as long and point the same way
      AddConvolution(PaddingMode::kCircular);
      const FrozenLayer copy = network_.layers.back();
      const std::size_t other = Last();
      Continue(start);
      Add(copy);
      return Add(SumLayer{.other = other});
    }
    if (Chance(4)) return Add(SumLayer{.other = start});
    AddShapeKeeping(gain);
    if (Chance(2)) Add(AbsLayer{});
    const std::size_t other = Chance(2) ? start : Last();
    if (other != start) {
      Continue(start);
      AddShapeKeeping(gain);
    }
    Add(SumLayer{.other = other});
  }
  void AddShapeKeeping(bool gain) {
    ConvolutionLayer layer{.input = shape_, .output_channels = shape_.channels};
    layer.padding_mode = Chance(2) ? PaddingMode::kZero : PaddingMode::kCircular;
    layer.vertical = KeepingAxis(shape_.height);
    layer.horizontal = KeepingAxis(shape_.width);
    const double size = (gain ? std::exp2(Uniform(-2.0, 1.0)) : 0.5) /
                        std::sqrt(static_cast<double>(layer.fan_in()));
    layer.weights = Weights(RandomFloats(random_, layer.output_channels * layer.fan_in(), size));
    AddClaimed(Dressed(std::move(layer), layer.output_channels));
  }

  void AddPermutation() {
    PermutationLayer layer;
    for (std::size_t k = 0; k < shape_.size(); ++k) {
      layer.sources.push_back(static_cast<std::uint32_t>(k));
    }
    std::shuffle(layer.sources.begin(), layer.sources.end(), random_);
    layer.output = shape_;
    if (!aligned_) {
      layer.output.channels = shape_.channels > 1 ? shape_.channels - Below(2) : 1;
      std::swap(layer.output.height, layer.output.width);
      layer.sources.resize(layer.output.size());
    }
    Add(std::move(layer));
  }

  // An aligned one clips nothing near the reference.
  void AddClip() {
    double largest = 0.0;
    for (const double value : x_) largest = std::max(largest, std::fabs(value));
    largest = std::clamp(largest, 1e-30, 1e30);
    ClipLayer clip;
    clip.low = static_cast<float>(largest * (aligned_ ? -4.0 : Uniform(-1.2, 0.2)));
    clip.high = static_cast<float>(largest * (aligned_ ? 4.0 : Uniform(0.3, 1.2)));
    Add(clip);
  }

  // Windows of an aligned one do not overlap.
  void AddMaxPool() {
    const auto axis = [&](std::size_t length) {
      WindowAxis window{.size = 1 + Below(std::min<std::size_t>(length, 3))};
      window.stride = aligned_ ? window.size : 1 + Below(3);
      if (!aligned_) {
        window.padding_before = Below(window.size);
        window.padding_after = Below(window.size);
      }
      return window;
    };
    MaxPoolLayer pool;
    pool.vertical = axis(shape_.height);
    pool.horizontal = axis(shape_.width);
    Add(pool);
  }

  void AddLayer(SubjectKind kind, bool gain) {
    switch (kind) {
      case SubjectKind::kDense:
        return AddDense(gain);
      case SubjectKind::kZeroPadding:
        return AddConvolution(PaddingMode::kZero);
      case SubjectKind::kReflection:
        return AddConvolution(PaddingMode::kReflect);
      case SubjectKind::kReplication:
        return AddConvolution(PaddingMode::kReplicate);
      case SubjectKind::kCircularPadding:
        return AddConvolution(PaddingMode::kCircular);
      case SubjectKind::kAveragePool: {
        AveragePoolLayer pool{.window_height = Divisor(shape_.height, true),
                              .window_width = Divisor(shape_.width, true)};
        const auto window = static_cast<double>(pool.window_height * pool.window_width);
        pool.scale = Scale() * static_cast<float>((gain ? std::exp2(Uniform(-1.0, 2.0)) : 1.0) /
                                                  std::sqrt(window));
        return Add(pool);
      }
      case SubjectKind::kL2NormPool:
        return Add(L2NormPoolLayer{.window_height = Divisor(shape_.height, true),
                                   .window_width = Divisor(shape_.width, true)});
      case SubjectKind::kGroupSort: {
        if (!aligned_) WidenTo(2 + Below(4));
        WidenTo(2);
        return Add(GroupSortLayer{.group_size = Divisor(shape_.channels, true)});
      }
      case SubjectKind::kUpSampling: {
        const std::size_t height = 1 + Below(3);
        const std::size_t width = 1 + Below(3);
        WidenTo(height * width);
        return Add(UpSamplingLayer{.window_height = height, .window_width = width});
      }
      case SubjectKind::kAbs:
        return Add(AbsLayer{});
      case SubjectKind::kMaxMin:
        WidenTo(2);
        return Add(MaxMinLayer{});
      case SubjectKind::kConcatenatedRelu:
        return Add(ConcatenatedReluLayer{});
      case SubjectKind::kPRelu: {
        std::vector<float> slopes = RandomFloats(random_, shape_.channels, gain ? 2.0 : 1e-3);
        if (!gain) {
          for (float& slope : slopes) slope = std::copysign(1.0F, slope);
        }
        return Add(PReluLayer{std::move(slopes)});
      }
      case SubjectKind::kHouseholder: {
        WidenTo(2);
        std::vector<float> directions = RandomFloats(random_, shape_.channels, 1.0);
        for (std::size_t k = 0; k < directions.size(); k += 2) {
          const double wanted = std::sqrt(gain ? Uniform(0.5, 4.0) : 2.0);
          const double now = std::hypot(directions[k], directions[k + 1]);
          for (std::size_t i = k; i < k + 2; ++i) {
            directions[i] = static_cast<float>(static_cast<double>(directions[i]) * wanted / now);
          }
        }
        return Add(HouseholderLayer{std::move(directions)});
      }
      case SubjectKind::kDensePotential:
        return AddPotential(false, gain);
      case SubjectKind::kConvolutionPotential:
        return AddPotential(true, gain);
      case SubjectKind::kPermutation:
        return AddPermutation();
      case SubjectKind::kSum:
        return AddSum(gain);
      case SubjectKind::kClip:
        return AddClip();
      case SubjectKind::kMaxPool:
        return AddMaxPool();
    }
  }
  // `onto`: with as many numbers out as in, so that a layer behind it keeps its norm.
  void AddIsometry(bool onto) {
    constexpr SubjectKind kKinds[] = {SubjectKind::kGroupSort,   SubjectKind::kAbs,
                                      SubjectKind::kMaxMin,      SubjectKind::kPRelu,
                                      SubjectKind::kHouseholder, SubjectKind::kConcatenatedRelu,
                                      SubjectKind::kUpSampling};
    AddLayer(kKinds[Below(onto ? 5 : 7)], /*gain=*/false);
  }
  void AddAny() {
    AddLayer(static_cast<SubjectKind>(Below(kNumSubjectKinds)), /*gain=*/!Chance(3));
    if (shape_.size() > kLargestSample) AddDense(true);
  }

  std::mt19937_64 random_;
  SubjectKind kind_;
  bool aligned_;
  FrozenNetwork network_;
  SampleShape shape_;                // of what the next layer reads
  Vector x_;                         // what it reads at the reference
  std::size_t read_ = 0;             // the number of that value
  std::vector<Vector> values_;       // all, at the reference
  std::vector<SampleShape> shapes_;  // of them
  std::vector<float> reference_;
  std::vector<std::uint8_t> image_;
  double divisor_ = 255.0;
  int exponent_ = 0;  // of the product of all scales
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_AUDIT_SUBJECT_LAYERS_H_
