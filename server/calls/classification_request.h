// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALLS_CLASSIFICATION_REQUEST_H_
#define SERVER_CALLS_CLASSIFICATION_REQUEST_H_

#include <grpcpp/server_context.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/foundation/status_macros.h"
#include "server/calls/call_meter.h"
#include "server/calls/service_context.h"
#include "server/scheduling/classification_task.h"

namespace lipserve {

// One request to classify, from its message to the message of its answer. The object is reused for
// one request after another. `Protocol` has:
//
//   using Request, Response;
//   static absl::string_view RequestId(const Request&);
//   static absl::StatusOr<ModelPtr> FindModel(const ModelCatalog&, const Request&);
//   static std::int64_t CountImages(const Request&);  // as in the message, unchecked; 0: unknown
//   static absl::Status Decode(const Request&, const ServedModel&, max_images, DecodedImages&);
//   static void Encode(const Request&, const DecodedImages&, const ServedModel&,
//                      std::span<const Answer>, Response&);
//
// Flow: Begin -> access, health, model, capacity, Decode -> queue -> Complete -> Encode ->
//       OnCompleted.
template <typename Protocol>
class ClassificationRequest : public ClassificationTask {
 public:
  using Request = typename Protocol::Request;
  using Response = typename Protocol::Response;

  // Encodes the answers into the response if `status` is OK, then calls OnCompleted.
  void Complete(const absl::Status& status, std::span<const Answer> answers) final {
    if (status.ok()) {
      const Clock& clock = server_.clock;
      const Clock::TimePoint start = clock.Now();
      Protocol::Encode(*request_, images_, *model_, answers, *response_);
      const Clock::TimePoint end = clock.Now();
      model_->metrics().ObserveEncoding(batch_images_, end - computed_, end - start);
    }
    meter_.EndRequest(model_.get(), status, Protocol::RequestId(*request_));
    // An idle call must keep neither a model alive nor the memory of a large request.
    model_.reset();
    if (images_.inputs.capacity() > kMaxKeptInputs) {
      server_.intake.input_buffers().Return(std::exchange(images_.inputs, {}));
    }
    OnCompleted(status);
  }

 protected:
  ClassificationRequest(const ServiceContext& server, RpcMethod method)
      : server_(server), method_(method), meter_(server, method) {}

  // Checks, decodes and submits `request`. Leads to exactly one OnCompleted, perhaps before this
  // returns. Both messages must live until then.
  void Begin(const Request& request, const grpc::ServerContext& context, Response& response) {
    request_ = &request;
    response_ = &response;
    arrival_ = meter_.StartRequest();
    deadline_ = ToServerClock(context.deadline(), arrival_);
    const absl::Status status = Prepare(context);
    if (status.ok()) {
      server_.intake.Submit(*this);
    } else {
      Complete(status, {});
    }
  }

  // The response is complete, or `status` says why there is none.
  virtual void OnCompleted(const absl::Status& status) = 0;

 private:
  static constexpr std::size_t kMaxKeptInputs = std::size_t{1} << 12;

  absl::Status Prepare(const grpc::ServerContext& context) {
    LIPSERVE_RETURN_IF_ERROR(server_.access.Check(context, method_));
    LIPSERVE_RETURN_IF_ERROR(server_.health.CheckAcceptsCalls());
    LIPSERVE_ASSIGN_OR_RETURN(model_,
                              Protocol::FindModel(*server_.repository.catalog(), *request_));
    const std::int64_t count = Protocol::CountImages(*request_);
    LIPSERVE_RETURN_IF_ERROR(server_.intake.CheckCapacity(*model_, count));
    if (count > 0 && static_cast<std::uint64_t>(count) > kMaxKeptInputs / model_->input_size()) {
      images_.inputs = server_.intake.input_buffers().Take();
    }
    LIPSERVE_RETURN_IF_ERROR(
        Protocol::Decode(*request_, *model_, server_.max_images_per_call, images_));
    decoded_ = server_.clock.Now();
    if (images_.timeout.count() > 0) {
      deadline_ = std::min(deadline_, arrival_ + images_.timeout);
    }
    return absl::OkStatus();
  }

  const ServiceContext& server_;
  const RpcMethod method_;
  CallMeter meter_;
  const Request* request_ = nullptr;
  Response* response_ = nullptr;
};

}  // namespace lipserve

#endif  // SERVER_CALLS_CLASSIFICATION_REQUEST_H_
