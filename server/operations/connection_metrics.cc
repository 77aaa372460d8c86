// SPDX-License-Identifier: Apache-2.0
#include "server/operations/connection_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>

namespace lipserve {

struct ConnectionMetrics::Series {
  explicit Series(prometheus::Registry& registry)
      : current(prometheus::BuildGauge()
                    .Name("lipserve_connections")
                    .Help("Open connections to the gRPC port.")
                    .Register(registry)
                    .Add({})),
        limit(prometheus::BuildGauge()
                  .Name("lipserve_connections_limit")
                  .Help("Most connections to the gRPC port; more are refused.")
                  .Register(registry)
                  .Add({})),
        accepted(prometheus::BuildCounter()
                     .Name("lipserve_connections_accepted_total")
                     .Help("Connections to the gRPC port that were kept.")
                     .Register(registry)
                     .Add({})) {
    auto& family = prometheus::BuildCounter()
                       .Name("lipserve_connections_refused_total")
                       .Help(
                           "Connections that were closed at once (limit, peer_limit), and times "
                           "that none could be accepted for want of descriptors. Alert on it.")
                       .Register(registry);
    refused = {&family.Add({{"reason", "limit"}}), &family.Add({{"reason", "peer_limit"}}),
               &family.Add({{"reason", "descriptors"}})};
  }

  prometheus::Gauge& current;
  prometheus::Gauge& limit;
  prometheus::Counter& accepted;
  std::array<prometheus::Counter*, 3> refused{};  // by RefusedConnection
};

ConnectionMetrics::ConnectionMetrics(prometheus::Registry& registry)
    : series_(std::make_unique<Series>(registry)) {}
ConnectionMetrics::~ConnectionMetrics() = default;

void ConnectionMetrics::SetLimit(std::size_t connections) {
  series_->limit.Set(static_cast<double>(connections));
}

void ConnectionMetrics::SetCurrent(std::size_t connections) {
  series_->current.Set(static_cast<double>(connections));
}

void ConnectionMetrics::CountAccepted() { series_->accepted.Increment(); }

void ConnectionMetrics::CountRefused(RefusedConnection reason) {
  series_->refused[static_cast<std::size_t>(reason)]->Increment();
}

}  // namespace lipserve
