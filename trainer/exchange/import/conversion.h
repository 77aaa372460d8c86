// SPDX-License-Identifier: Apache-2.0
// The state of one conversion, and the steps that turn a view into a value of the draft network.
// Layers are added only where an operator that computes needs its input.
#ifndef TRAINER_EXCHANGE_IMPORT_CONVERSION_H_
#define TRAINER_EXCHANGE_IMPORT_CONVERSION_H_

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/exchange/graph/graph.h"
#include "trainer/exchange/import/draft.h"
#include "trainer/exchange/import/order_statistics.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

using SharedView = std::shared_ptr<const View>;

class Conversion {
 public:
  Conversion(const Graph& graph, const SampleShape& input);

  const Graph& graph() const { return graph_; }
  Draft& draft() { return draft_; }
  OrderStatistics& orders(std::size_t value) { return orders_[value]; }

  // What a value of the graph is: a view, or why it has none. An operator that has no layer of its
  // own may be part of a pattern that another one completes.
  const absl::StatusOr<SharedView>& ViewOf(ValueId value) const { return views_[value]; }
  // Begins node `number`: what is done from now on is done for it.
  void Begin(std::size_t number) { current_ = number; }
  std::size_t current() const { return current_; }
  // Gives the outputs of node `node` their views.
  void SetView(std::size_t node, std::size_t output, absl::StatusOr<View> view);
  void Share(ValueId value, SharedView view) { views_[value] = std::move(view); }
  // Forgets a value that no later node reads.
  void Forget(ValueId value) { views_[value] = absl::InternalError("forgotten"); }
  std::size_t NumReaders(ValueId value) const { return readers_[value]; }
  // The node that makes a value; none for the input and constants.
  const Node* ProducerOf(ValueId value) const;

  // Folds the scales and shifts of a view into the layer that makes its source, if nothing else
  // reads that and they fit its channels.
  void FoldIntoProducer(View& view);
  // The view over a value of the network rather than over order statistics or parts of one. Adds
  // the layer that makes them.
  //
  // Errors: InvalidArgument if sorts overlap or groups differ in size, and for squares.
  absl::StatusOr<View> Realise(View view);
  // The view without scales and shifts. Folds them, or adds a layer that applies them.
  //
  // Errors: those of Realise; InvalidArgument if one number is scaled in two ways.
  absl::StatusOr<View> Purify(View view);
  // A value with exactly the numbers of the view, in the shape ShapeOf(view.dims). Adds a
  // permutation where they stand in another order. A layer that is added takes the view's nodes.
  //
  // Errors: InvalidArgument if a number stands there twice, or a constant does.
  absl::StatusOr<std::size_t> ValueOf(View& view);

  // Adds a layer that reads `view.source` and returns the whole of its output as `dims`. Takes over
  // the nodes that the view has collected.
  View AddLayer(const View& view, DraftLayer layer, Dims dims);
  // The same for a layer that works number by number: the view of its output.
  View AddElementwise(View view, FrozenLayer layer);

 private:
  absl::StatusOr<View> RealiseOrder(View view);
  View RealiseParts(View view);
  // The value of `layer` on `input`, made once for all views that need it.
  std::size_t AddOnce(const std::string& key, DraftLayer layer);
  // Moves the nodes of a view, less the current one, to the layer of a value.
  void GiveNodes(View& view, std::size_t value);
  // A layer that scales and shifts each number, and the view of its output.
  absl::StatusOr<View> AddScaling(View view);

  const Graph& graph_;
  std::size_t current_ = 0;
  Draft draft_;
  std::vector<absl::StatusOr<SharedView>> views_;  // of each value of the graph
  std::vector<std::size_t> readers_;
  std::vector<std::size_t> producers_;  // node + 1
  std::map<std::size_t, OrderStatistics> orders_;
  std::map<std::string, std::size_t> once_;
};

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_CONVERSION_H_
