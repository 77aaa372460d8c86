// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALLS_CALL_METER_H_
#define SERVER_CALLS_CALL_METER_H_

#include "absl/status/status.h"
#include "server/calls/service_context.h"
#include "server/operations/clock.h"
#include "server/repository/served_model.h"

namespace lipserve {

// Records each request in the metrics and in the request log, from its arrival to its answer.
//
//   meter.StartRequest();
//   meter.EndRequest(model.get(), status);
class CallMeter {
 public:
  // Requires: `server` outlives the meter.
  CallMeter(const ServiceContext& server, RpcMethod method) : server_(server), method_(method) {}

  // Counts the request as in flight. Returns its arrival.
  Clock::TimePoint StartRequest() {
    server_.metrics.AddInflight(1);
    arrival_ = server_.clock.Now();
    return arrival_;
  }

  // Counts and logs the answer. `model` is null if the request named no served model.
  void EndRequest(const ServedModel* model, const absl::Status& status,
                  absl::string_view request_id = {}) {
    ModelMetrics& metrics = model != nullptr ? model->metrics() : server_.metrics.ForNoModel();
    const double seconds = SecondsBetween(arrival_, server_.clock.Now());
    metrics.CountRequest(method_, status.code(), seconds);
    server_.metrics.AddInflight(-1);
    server_.request_log.Add({.method = MethodName(method_),
                             .model = model != nullptr ? model->name() : absl::string_view(),
                             .version = model != nullptr ? model->version() : 0,
                             .request_id = request_id,
                             .status = status,
                             .seconds = seconds});
  }

 private:
  const ServiceContext& server_;
  const RpcMethod method_;
  Clock::TimePoint arrival_;
};

}  // namespace lipserve

#endif  // SERVER_CALLS_CALL_METER_H_
