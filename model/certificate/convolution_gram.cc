// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/convolution_gram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/certificate/absolute_norm.h"
#include "model/certificate/convolution_operator.h"
#include "model/foundation/paced_stop_check.h"

namespace lipserve {
namespace {

// A list of cells; the positions of one cell share entries of the Gram matrix.
using Cells = std::vector<std::vector<Read>>;

std::size_t Span(const Cells& cells, const std::vector<std::size_t>& rank) {
  std::size_t span = 0;
  for (const std::vector<Read>& cell : cells) {
    if (cell.empty()) continue;
    const auto by_rank = [&](const Read& a, const Read& b) {
      return rank[a.position] < rank[b.position];
    };
    const auto [first, last] = std::minmax_element(cell.begin(), cell.end(), by_rank);
    span = std::max(span, rank[last->position] - rank[first->position]);
  }
  return span;
}

// The identity; ends and beginnings in turn, for circular padding, which joins them; and position
// classes modulo the dilation one after another, for windows that skip positions.
AxisOrder NarrowestOrder(const Cells& cells, std::size_t length, std::size_t dilation) {
  std::vector<std::vector<std::size_t>> ranks(3, std::vector<std::size_t>(length));
  std::size_t classes = 0;
  for (std::size_t remainder = 0; remainder < dilation && remainder < length; ++remainder) {
    for (std::size_t i = remainder; i < length; i += dilation) ranks[2][i] = classes++;
  }
  for (std::size_t i = 0; i < length; ++i) {
    ranks[0][i] = i;
    ranks[1][i] = std::min(2 * i, 2 * (length - i) - 1);
  }
  AxisOrder best{.rank = ranks[0], .span = Span(cells, ranks[0])};
  for (const auto& rank : ranks) {
    const std::size_t span = Span(cells, rank);
    if (span < best.span) best = {.rank = rank, .span = span};
  }
  return best;
}

double Square(double x) { return x * x; }

// Number of pairs of reads in the same cell.
double PairsIn(const Cells& cells) {
  double pairs = 0.0;
  for (const auto& cell : cells) pairs += Square(static_cast<double>(cell.size()));
  return pairs;
}

const Cells& CellsOf(const WindowReads& reads, bool over_inputs) {
  return over_inputs ? reads.by_output() : reads.by_source();
}

// The plan over one side with the better of the two slow axes.
GramPlan MakePlan(bool over_inputs, const ConvolutionLayer& layer, const WindowReads& vertical,
                  const WindowReads& horizontal) {
  const auto positions = [&](const WindowReads& axis) {
    return over_inputs ? axis.length() : axis.outputs();
  };
  const std::size_t channels_in = layer.input.channels / layer.groups;
  const std::size_t channels_out = layer.output_channels / layer.groups;
  GramPlan plan;
  plan.over_inputs = over_inputs;
  plan.channels = over_inputs ? channels_in : channels_out;
  plan.vertical =
      NarrowestOrder(CellsOf(vertical, over_inputs), positions(vertical), layer.vertical.dilation);
  plan.horizontal = NarrowestOrder(CellsOf(horizontal, over_inputs), positions(horizontal),
                                   layer.horizontal.dilation);
  plan.order = positions(vertical) * positions(horizontal) * plan.channels;
  const std::size_t span_by_rows =
      plan.vertical.span * positions(horizontal) + plan.horizontal.span;
  const std::size_t span_by_columns =
      plan.horizontal.span * positions(vertical) + plan.vertical.span;
  plan.vertical_is_slow = span_by_rows <= span_by_columns;
  const std::size_t span = std::min(span_by_rows, span_by_columns);
  plan.half_bandwidth = std::min((span + 1) * plan.channels, plan.order) - 1;

  const auto groups = static_cast<double>(layer.groups);
  const auto n = static_cast<double>(plan.order);
  const auto band = static_cast<double>(plan.half_bandwidth + 1);
  const auto rows =
      static_cast<double>(layer.vertical.size * layer.horizontal.size * plan.channels);
  const auto other = static_cast<double>(over_inputs ? channels_out : channels_in);
  const double pairs = PairsIn(CellsOf(vertical, over_inputs)) *
                       PairsIn(CellsOf(horizontal, over_inputs)) *
                       Square(static_cast<double>(plan.channels));
  plan.cost = {.bytes = 8.0 * (n * band + rows * rows + n * groups),
               .flops = groups * (n * band * band + pairs + 2.0 * rows * rows * other)};
  return plan;
}

// Adds k[t, a] * k[u, b] to products[t, u, a, b], for k: [taps, channels].
void AddProductsOfTaps(std::span<const double> k, std::size_t taps, std::size_t channels,
                       std::span<double> products) {
  for (std::size_t t = 0; t < taps; ++t) {
    for (std::size_t u = 0; u < taps; ++u) {
      double* row = products.data() + (t * taps + u) * channels * channels;
      for (std::size_t a = 0; a < channels; ++a, row += channels) {
        const double factor = k[t * channels + a];
        for (std::size_t b = 0; b < channels; ++b) row[b] += factor * k[u * channels + b];
      }
    }
  }
}

// A pixel that a cell reads, and through which tap.
struct PixelRead {
  std::size_t index;
  std::size_t tap;
};

// Calls visit(first, second) for every ordered pair of reads with first.index <= second.index.
template <typename Visit>
void ForEachPairOfReads(std::span<const PixelRead> cell, const Visit& visit) {
  for (const PixelRead& first : cell) {
    for (const PixelRead& second : cell) {
      if (first.index <= second.index) visit(first, second);
    }
  }
}

GramPlan CheapestPlan(const ConvolutionLayer& layer, const WindowReads& vertical,
                      const WindowReads& horizontal) {
  GramPlan inputs = MakePlan(true, layer, vertical, horizontal);
  GramPlan outputs = MakePlan(false, layer, vertical, horizontal);
  return inputs.cost.flops <= outputs.cost.flops ? inputs : outputs;
}

}  // namespace

GramPlan CheapestGramPlan(const ConvolutionLayer& layer) {
  return CheapestPlan(layer, WindowReads(layer.vertical, layer.padding_mode, layer.input.height),
                      WindowReads(layer.horizontal, layer.padding_mode, layer.input.width));
}

BandedNormProof::BandedNormProof(const ConvolutionLayer& layer, const StopCheck& stop)
    : NormProof(ScaleExponent(layer), stop),
      layer_(layer),
      vertical_(layer.vertical, layer.padding_mode, layer.input.height),
      horizontal_(layer.horizontal, layer.padding_mode, layer.input.width),
      plan_(CheapestPlan(layer, vertical_, horizontal_)) {
  // An entry of G is a sum of exact products: over the channels of the other side, then over the
  // reads of one of its two pixels, each paired with at most this many reads of the other pixel in
  // a cell.
  const std::size_t channels = plan_.over_inputs ? layer.output_channels / layer.groups
                                                 : layer.input.channels / layer.groups;
  const auto reads_in_cell = [&](const WindowReads& axis, std::size_t taps) {
    return plan_.over_inputs ? axis.most_reads() * axis.most_reads_by_one_output()
                             : taps * axis.most_reads_by_one_output();
  };
  const auto terms =
      static_cast<double>(channels + reads_in_cell(vertical_, layer.vertical.size) *
                                         reads_in_cell(horizontal_, layer.horizontal.size));
  const Upper absolute(std::ldexp(AbsoluteNormBound(layer, stop).value(), ScaleExponent(layer)));
  gram_error_ = Gamma(terms, kUnitRoundoff64) * absolute * absolute;
  for (std::size_t g = 0; g < layer.groups; ++g) {
    const SymmetricBand negated = NegatedGram(g);
    std::vector<double>& diagonal = diagonals_.emplace_back(plan_.order);
    for (std::size_t i = 0; i < plan_.order; ++i) diagonal[i] = -negated.at(i, i);
  }
}

std::size_t BandedNormProof::Index(std::size_t y, std::size_t x) const {
  const std::size_t slow =
      plan_.vertical_is_slow ? plan_.vertical.rank[y] : plan_.horizontal.rank[x];
  const std::size_t fast =
      plan_.vertical_is_slow ? plan_.horizontal.rank[x] : plan_.vertical.rank[y];
  const std::size_t fast_positions =
      plan_.vertical_is_slow ? plan_.horizontal.rank.size() : plan_.vertical.rank.size();
  return (slow * fast_positions + fast) * plan_.channels;
}

std::vector<double> BandedNormProof::TapProducts(std::size_t group) const {
  const double exact_scale = scale();
  const std::size_t taps = layer_.vertical.size * layer_.horizontal.size;
  const std::size_t channels_in = layer_.input.channels / layer_.groups;
  const std::size_t channels_out = layer_.output_channels / layer_.groups;
  const std::size_t channels = plan_.channels;
  const std::size_t others = plan_.over_inputs ? channels_out : channels_in;
  const std::size_t rows = taps * channels;
  std::vector<double> products(rows * rows, 0.0);
  std::vector<double> k(rows);  // [taps, channels] of one channel of the other side
  PacedStopCheck stopped(stop());
  for (std::size_t other = 0; other < others; ++other) {
    if (stopped(rows * rows)) break;
    for (std::size_t t = 0; t < taps; ++t) {
      for (std::size_t a = 0; a < channels; ++a) {
        const std::size_t o = group * channels_out + (plan_.over_inputs ? other : a);
        const std::size_t c = plan_.over_inputs ? a : other;
        k[t * channels + a] =
            static_cast<double>(layer_.weights[(o * channels_in + c) * taps + t]) * exact_scale;
      }
    }
    AddProductsOfTaps(k, taps, channels, products);
  }
  return products;
}

SymmetricBand BandedNormProof::NegatedGram(std::size_t group) const {
  SymmetricBand band(plan_.order, plan_.half_bandwidth);
  const std::vector<double> products = TapProducts(group);
  const std::size_t channels = plan_.channels;
  const std::size_t taps = layer_.vertical.size * layer_.horizontal.size;
  // Subtracts the products of the taps of two reads in one cell.
  const auto subtract = [&](const PixelRead& first, const PixelRead& second) {
    const double* block = products.data() + (first.tap * taps + second.tap) * channels * channels;
    for (std::size_t a = 0; a < channels; ++a, block += channels) {
      const std::size_t begin = first.index == second.index ? a : 0;
      double* const row = &band.at(first.index + a, second.index + begin);
      for (std::size_t b = begin; b < channels; ++b) row[b - begin] -= block[b];
    }
  };
  std::vector<PixelRead> cell;
  PacedStopCheck stopped(stop());
  for (const auto& rows : CellsOf(vertical_, plan_.over_inputs)) {
    for (const auto& columns : CellsOf(horizontal_, plan_.over_inputs)) {
      if (stopped(cell.size() * cell.size() * channels * channels)) return band;
      cell.clear();
      for (const Read& row : rows) {
        for (const Read& column : columns) {
          cell.push_back({.index = Index(row.position, column.position),
                          .tap = row.tap * layer_.horizontal.size + column.tap});
        }
      }
      ForEachPairOfReads(cell, subtract);
    }
  }
  return band;
}

bool BandedNormProof::Completes(double c) const {
  for (std::size_t g = 0; g < layer_.groups; ++g) {
    SymmetricBand b = NegatedGram(g);
    for (std::size_t i = 0; i < plan_.order; ++i) b.at(i, i) = c + b.at(i, i);
    if (!FactoriseCholesky(b, stop())) return false;
  }
  return true;
}

Upper BandedNormProof::Slack(double c) const {
  Upper slack;
  for (const std::vector<double>& diagonal : diagonals_) {
    slack = Max(slack, FactorisationSlack(diagonal, plan_.half_bandwidth, c));
  }
  return slack + gram_error_;
}

}  // namespace lipserve
