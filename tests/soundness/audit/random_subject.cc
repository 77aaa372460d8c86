// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/audit/random_subject.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/certificate/layer_bounds.h"
#include "model/network/pixel_scaling.h"
#include "tests/model/dense_convolution.h"
#include "tests/model/margin_gradient.h"
#include "tests/model/orthonormal_rows.h"
#include "tests/soundness/attacks/white_box.h"
#include "tests/soundness/audit/arguable_radius.h"

namespace lipserve {
namespace {

using Vector = std::vector<double>;

// A network under construction, and what its layers make of the reference image.
class SubjectBuilder {
 public:
  SubjectBuilder(std::uint64_t seed, SubjectKind kind, bool aligned)
      : random_(seed), kind_(kind), aligned_(aligned) {}

  RandomSubject Build() {
    DrawImage();
    if (aligned_) {
      Rotate(shape_.channels);
      if (Chance(2)) AddIsometry(/*onto=*/true);
      AddLayer(kind_, /*gain=*/true);
      if (Chance(2)) AddIsometry(/*onto=*/false);
    } else {
      const std::size_t before = Below(3);
      for (std::size_t i = 0; i < before; ++i) AddAny();
      AddLayer(kind_, true);
      const std::size_t after = Below(4);
      for (std::size_t i = 0; i < after; ++i) AddAny();
    }
    Flatten();
    AddScores();
    if (IsChain()) network_.inputs.clear();
    RandomSubject subject{.model = ModelOf(std::move(network_)),
                          .kind = kind_,
                          .aligned = aligned_,
                          .image = std::move(image_)};
    subject.model.pixel_divisor = divisor_;
    return subject;
  }

 private:
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

  static void Normalise(Vector& v) {
    const double norm = Norm(v);
    for (double& value : v) value /= norm > 0.0 ? norm : 1.0;
  }
  // The left singular vector of J's largest singular value, by power iterations; sets that.
  Vector LargestDirection(double& singular_value) {
    Vector v(reference_.size());
    std::normal_distribution<double> normal;
    for (double& value : v) value = normal(random_);
    Vector u;
    const TracedScores trace = TraceScores(network_, reference_);
    const Vector at(reference_.begin(), reference_.end());
    const double step = 1e-7 * std::max(Norm(at), 1e-30);
    for (int iteration = 0; iteration < 60; ++iteration) {
      Normalise(v);
      Vector moved = at;
      for (std::size_t k = 0; k < at.size(); ++k) moved[k] += step * v[k];
      u = NetworkValues<double, TracedLayer>(network_, moved).back();
      for (std::size_t k = 0; k < u.size(); ++k) u[k] = (u[k] - x_[k]) / step;
      Normalise(u);
      v = Backward(network_, trace, u);
    }
    singular_value = Norm(v);
    return u;
  }

  // The last layer.
  void AddScores() {
    constexpr std::size_t kScores[] = {1, 2, 2, 3, 5, 10};
    const std::size_t scores = kScores[Below(6)];
    const std::size_t prototypes = scores > 1 && Chance(4) ? 2 + Below(3) : 1;
    network_.prototypes_per_class = prototypes;
    const std::size_t inputs = shape_.size();
    DenseLayer last;
    last.inputs = inputs;
    last.outputs = scores * prototypes;
    last.weights = RandomFloats(random_, last.outputs * inputs, 1.0);
    if (aligned_) {
      Align(last);
    } else {
      last.weights = Weights(std::move(last.weights));
      last = Dressed(std::move(last), last.outputs);
    }
    TieRows(last);
    AddClaimed(std::move(last));
  }
  // Rows a and b differ along the largest singular vector. At the reference, a is above b by a
  // margin that makes a small radius, and all others are far below.
  void Align(DenseLayer& last) {
    double singular_value = 0.0;
    const Vector u = LargestDirection(singular_value);
    const std::size_t inputs = last.inputs;
    const std::size_t a = Below(last.outputs);
    std::size_t b = last.outputs == 1 ? 0 : Below(last.outputs);
    while (last.outputs > 1 &&
           b / network_.prototypes_per_class == a / network_.prototypes_per_class) {
      b = Below(last.outputs);
    }
    for (std::size_t k = 0; k < inputs; ++k) {
      const auto common =
          static_cast<double>(last.outputs == 1 ? 0.0F : last.weights[a * inputs + k]);
      last.weights[a * inputs + k] = static_cast<float>(common + u[k]);
      if (a != b) last.weights[b * inputs + k] = static_cast<float>(common - u[k]);
    }
    constexpr double kRadii[] = {0.1, 0.01, 0.001};
    const double radius = kRadii[Below(3)] * Norm(Vector(reference_.begin(), reference_.end())) /
                          std::sqrt(static_cast<double>(reference_.size()));
    const double margin = radius * singular_value;
    last.bias.clear();
    const Vector plain = LayerDefinition<double>{x_, shape_}(last);
    for (std::size_t i = 0; i < last.outputs; ++i) {
      const double level = i == a ? margin : i == b ? -margin : -Uniform(100.0, 1000.0) * margin;
      last.bias.push_back(static_cast<float>(level - plain[i]));
    }
    for (std::vector<float>* const numbers : {&last.weights, &last.bias}) {
      for (float& number : *numbers) number = std::isnormal(number) ? number : 0.0F;
    }
  }
  // Some last layers have two equal rows.
  void TieRows(DenseLayer& last) {
    if (last.outputs < 4 || !Chance(4)) return;
    const std::size_t from = Below(last.outputs);
    const std::size_t to = Below(last.outputs);
    const auto row = last.weights.begin() + static_cast<std::ptrdiff_t>(from * last.inputs);
    std::vector<float> copy(row, row + static_cast<std::ptrdiff_t>(last.inputs));
    std::copy(copy.begin(), copy.end(),
              last.weights.begin() + static_cast<std::ptrdiff_t>(to * last.inputs));
    if (!last.bias.empty()) last.bias[to] = last.bias[from];
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

}  // namespace

const char* SubjectKindName(SubjectKind kind) {
  constexpr std::array<const char*, kNumSubjectKinds> kNames = {"dense",
                                                                "zero padding",
                                                                "reflection",
                                                                "replication",
                                                                "circular",
                                                                "average pool",
                                                                "L2-norm pool",
                                                                "group sort",
                                                                "up-sampling",
                                                                "absolute value",
                                                                "max-min",
                                                                "concatenated ReLU",
                                                                "PReLU",
                                                                "Householder",
                                                                "potential of dense",
                                                                "potential of conv.",
                                                                "permutation",
                                                                "sum",
                                                                "clip",
                                                                "max pool"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string RandomSubject::Description() const {
  std::string text =
      absl::StrCat(aligned ? "aligned, " : "chain, ", SubjectKindName(kind), ": divisor ",
                   model.pixel_divisor, ", prototypes ", model.network.prototypes_per_class);
  for (const FrozenLayer& layer : model.network.layers) {
    absl::StrAppend(&text, "; ", DescribeLayer(layer));
  }
  if (!model.network.inputs.empty()) {
    absl::StrAppend(&text, "; inputs ", absl::StrJoin(model.network.inputs, ", "));
  }
  return text;
}

RandomSubject DrawSubject(std::uint64_t seed) {
  return SubjectBuilder(seed * 2654435761U + 1, static_cast<SubjectKind>(seed % kNumSubjectKinds),
                        seed / kNumSubjectKinds % 2 == 0)
      .Build();
}

}  // namespace lipserve
