// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/convolution_gram.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <map>
#include <numeric>

namespace lipserve::verify {
namespace {

constexpr std::size_t kMaxTapProducts = std::size_t{1} << 22;
constexpr std::size_t kMaxWeightProducts = std::size_t{1} << 32;
constexpr std::size_t kMaxBlockNumbers = std::size_t{1} << 24;

// A read through a tap, seen from a node of the Gram matrix: a position (T^T T) or an output (T
// T^T).
struct NodeRead {
  std::size_t node;
  std::size_t tap;
};
// For each output, its reads; or for each position, the reads of it.
using NodeReads = std::vector<std::vector<NodeRead>>;

NodeReads NodeReadsOf(const Convolution& convolution, GramSide side) {
  const auto [channels, height, width] = convolution.output();
  NodeReads reads(side == GramSide::kInputs ? height * width
                                            : convolution.input[1] * convolution.input[2]);
  for (std::size_t output = 0; output < height * width; ++output) {
    for (const auto& [tap, position] : convolution.ReadingsOf(output / width, output % width)) {
      if (side == GramSide::kInputs) {
        reads[output].push_back({.node = position, .tap = tap});
      } else {
        reads[position].push_back({.node = output, .tap = tap});
      }
    }
  }
  return reads;
}

// Orders of the positions of an axis: as they come; from both ends in turn, for circular padding,
// which joins the ends; by their remainders, for windows that skip positions.
constexpr std::size_t kAxisOrders = 3;

std::vector<std::size_t> AxisOrder(std::size_t kind, std::size_t length, std::size_t dilation) {
  std::vector<std::size_t> order;
  if (kind == 0) {
    for (std::size_t k = 0; k < length; ++k) order.push_back(k);
  } else if (kind == 1) {
    for (std::size_t k = 0; k < length; ++k) {
      order.push_back(k % 2 == 0 ? k / 2 : length - 1 - k / 2);
    }
  } else {
    for (std::size_t first = 0; first < std::min(dilation, length); ++first) {
      for (std::size_t k = first; k < length; k += dilation) order.push_back(k);
    }
  }
  return order;
}

// The rank of each position y * width + x, with `rows` or `columns` as the slow order.
std::vector<std::size_t> Ranks(const std::vector<std::size_t>& rows,
                               const std::vector<std::size_t>& columns, bool columns_are_slow) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> ranks(rows.size() * columns.size(), kNone);
  for (std::size_t y = 0; y < rows.size(); ++y) {
    for (std::size_t x = 0; x < columns.size(); ++x) {
      std::size_t& rank = ranks[rows[y] * columns.size() + columns[x]];
      assert(rank == kNone);  // two positions of one rank would be taken for one
      rank = columns_are_slow ? x * rows.size() + y : y * columns.size() + x;
    }
  }
  return ranks;
}

// For each rank, the smallest rank that shares a read with it, or itself.
std::vector<std::size_t> FirstRanks(const NodeReads& reads, const std::vector<std::size_t>& ranks) {
  std::vector<std::size_t> first(ranks.size());
  std::iota(first.begin(), first.end(), std::size_t{0});
  for (const std::vector<NodeRead>& list : reads) {
    std::size_t smallest = ranks.size();
    for (const NodeRead& read : list) smallest = std::min(smallest, ranks[read.node]);
    for (const NodeRead& read : list) {
      std::size_t& of_node = first[ranks[read.node]];
      of_node = std::min(of_node, smallest);
    }
  }
  return first;
}

// One of the possible matrices.
struct Candidate {
  GramSide side = GramSide::kInputs;
  std::size_t block_order = 1;
  std::vector<std::size_t> ranks;
  std::vector<std::size_t> first;

  // Grows with the multiplications that a proof takes. Fits: a sample has at most 2^22 numbers.
  std::size_t Cost() const {
    std::size_t work = 0;
    for (std::size_t row = 0; row < first.size(); ++row) {
      const std::size_t width = (row + 1 - first[row]) * block_order;
      work += (width * width / 256 + 1) * block_order;
    }
    return work;
  }
};

// The cheapest order of the matrix of one side.
Candidate CheapestOrder(const Convolution& convolution, GramSide side) {
  const bool by_inputs = side == GramSide::kInputs;
  const Shape image = by_inputs ? convolution.input : convolution.output();
  const NodeReads reads = NodeReadsOf(convolution, side);
  Candidate best;
  for (std::size_t kind = 0; kind < kAxisOrders * kAxisOrders * 2; ++kind) {
    Candidate candidate{
        .side = side,
        .block_order = by_inputs ? convolution.input_channels_per_group()
                                 : convolution.output_channels_per_group(),
        .ranks = Ranks(
            AxisOrder(kind % kAxisOrders, image[1], convolution.vertical.dilation),
            AxisOrder(kind / kAxisOrders % kAxisOrders, image[2], convolution.horizontal.dilation),
            kind >= kAxisOrders * kAxisOrders),
        .first = {}};
    candidate.first = FirstRanks(reads, candidate.ranks);
    if (kind == 0 || candidate.Cost() < best.Cost()) best = std::move(candidate);
  }
  return best;
}

Candidate CheapestCandidate(const Convolution& convolution) {
  Candidate inputs = CheapestOrder(convolution, GramSide::kInputs);
  Candidate outputs = CheapestOrder(convolution, GramSide::kOutputs);
  return outputs.Cost() < inputs.Cost() ? std::move(outputs) : std::move(inputs);
}

// A product of taps and where it goes, sorted by column.
struct PlacedPair {
  std::size_t column;
  TapPair pair;

  friend bool operator<(const PlacedPair& a, const PlacedPair& b) {
    return std::tie(a.column, a.pair) < std::tie(b.column, b.pair);
  }
};

// The products that each row of blocks holds, on the diagonal and to its left.
//
// Errors: nullopt if there are too many.
std::optional<std::vector<std::vector<PlacedPair>>> PlaceTapProducts(
    const NodeReads& reads, const std::vector<std::size_t>& ranks) {
  std::size_t products = 0;
  for (const std::vector<NodeRead>& list : reads) {
    products += list.size() * list.size();
    if (products > kMaxTapProducts) return std::nullopt;
  }
  std::vector<std::vector<PlacedPair>> rows(ranks.size());
  for (const std::vector<NodeRead>& list : reads) {
    for (const NodeRead& row : list) {
      for (const NodeRead& column : list) {
        if (ranks[column.node] > ranks[row.node]) continue;
        rows[ranks[row.node]].push_back(
            {.column = ranks[column.node], .pair = {.row_tap = row.tap, .column_tap = column.tap}});
      }
    }
  }
  for (std::vector<PlacedPair>& row : rows) std::sort(row.begin(), row.end());
  return rows;
}

// Numbers the different blocks and says where they go.
class LayoutBuilder {
 public:
  // Adds the next row of blocks.
  void AddRow(const std::vector<PlacedPair>& row) {
    std::vector<BlockLayout::Place>& places = rows_.emplace_back();
    for (auto begin = row.begin(); begin != row.end();) {
      const auto end = std::find_if(begin, row.end(), [&](const PlacedPair& placed) {
        return placed.column != begin->column;
      });
      std::vector<TapPair> pairs;
      for (auto placed = begin; placed != end; ++placed) pairs.push_back(placed->pair);
      places.push_back({.column = begin->column, .block = NumberOf(std::move(pairs))});
      begin = end;
    }
  }

  std::size_t blocks() const { return numbers_.size(); }
  std::size_t tap_products() const { return tap_products_; }
  std::vector<std::vector<BlockLayout::Place>> TakeRows() { return std::move(rows_); }
  // What each block is the sum of.
  std::vector<std::vector<TapPair>> Blocks() const {
    std::vector<std::vector<TapPair>> blocks(numbers_.size());
    for (const auto& [pairs, number] : numbers_) blocks[number] = pairs;
    return blocks;
  }

 private:
  std::size_t NumberOf(std::vector<TapPair> pairs) {
    const std::size_t size = pairs.size();
    const auto [entry, is_new] = numbers_.emplace(std::move(pairs), numbers_.size());
    if (is_new) tap_products_ += size;
    return entry->second;
  }

  std::vector<std::vector<BlockLayout::Place>> rows_;
  std::map<std::vector<TapPair>, std::size_t> numbers_;
  std::size_t tap_products_ = 0;
};

}  // namespace

std::vector<mpz_class> TapProducts(const Convolution& convolution, std::size_t group, GramSide side,
                                   const std::vector<TapPair>& pairs) {
  const std::size_t inputs = convolution.input_channels_per_group();
  const std::size_t outputs = convolution.output_channels_per_group();
  const bool by_inputs = side == GramSide::kInputs;
  const std::size_t order = by_inputs ? inputs : outputs;
  const std::size_t terms = by_inputs ? outputs : inputs;
  // K at `channel` of the block's rows or columns and at `term` of the sum.
  const auto weight = [&](std::size_t channel, std::size_t term, std::size_t tap) {
    const std::size_t o = group * outputs + (by_inputs ? term : channel);
    return convolution.weight(o, by_inputs ? channel : term, tap).get_mpz_t();
  };
  std::vector<mpz_class> block(order * order);
  for (const auto& [row_tap, column_tap] : pairs) {
    for (std::size_t k = 0; k < block.size(); ++k) {
      for (std::size_t term = 0; term < terms; ++term) {
        mpz_addmul(block[k].get_mpz_t(), weight(k / order, term, row_tap),
                   weight(k % order, term, column_tap));
      }
    }
  }
  return block;
}

std::optional<ConvolutionGram> ConvolutionGram::Create(const Convolution& convolution) {
  const auto [channels, height, width] = convolution.output();
  if (height * width * convolution.taps() > kMaxTapProducts) return std::nullopt;
  Candidate candidate = CheapestCandidate(convolution);
  const auto rows = PlaceTapProducts(NodeReadsOf(convolution, candidate.side), candidate.ranks);
  if (!rows) return std::nullopt;
  LayoutBuilder builder;
  for (const std::vector<PlacedPair>& row : *rows) builder.AddRow(row);
  const std::size_t order = candidate.block_order;
  const std::size_t fan = SizeOf(
      {convolution.input_channels_per_group(), convolution.output_channels_per_group(), order});
  if (builder.blocks() > kMaxBlockNumbers / (order * order) ||
      builder.tap_products() > kMaxWeightProducts / fan / convolution.groups) {
    return std::nullopt;
  }
  ConvolutionGram gram(convolution);
  gram.side_ = candidate.side;
  gram.blocks_ = builder.Blocks();
  gram.layout_ = std::make_shared<const BlockLayout>(BlockLayout{
      .block_order = order, .rows = builder.TakeRows(), .first = std::move(candidate.first)});
  return gram;
}

GramMatrix ConvolutionGram::OfGroup(std::size_t group) const {
  std::vector<std::vector<mpz_class>> blocks;
  blocks.reserve(blocks_.size());
  for (const std::vector<TapPair>& pairs : blocks_) {
    blocks.push_back(TapProducts(*convolution_, group, side_, pairs));
  }
  return {layout_, std::move(blocks), 2 * convolution_->weights.exponent};
}

}  // namespace lipserve::verify
