// SPDX-License-Identifier: Apache-2.0
#include "server/classifier_calls.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/status_macros.h"
#include "server/classification_task.h"
#include "server/request_codec.h"
#include "server/unary_call.h"

namespace lipserve {
namespace {

using Service = ClassifierCalls::Service;

// More than the calls that arrive between two looks at the completion queue.
constexpr std::size_t kPostedClassifyCalls = 128;
constexpr std::size_t kPostedOtherCalls = 4;

// The model that a request means, if calls are answered at the moment.
template <typename Request>
absl::StatusOr<std::shared_ptr<const ServedModel>> FindModel(const ServiceContext& server,
                                                             const Request& request) {
  LIPSERVE_RETURN_IF_ERROR(server.health.CheckAnswering());
  return server.repository.catalog()->Find(request.model_name(), request.model_version(),
                                           request.model_label());
}

// A deadline of the system clock, as gRPC has it, on the server's clock.
Clock::TimePoint OnClock(std::chrono::system_clock::time_point deadline, Clock::TimePoint now) {
  using SystemClock = std::chrono::system_clock;
  if (deadline == SystemClock::time_point::max()) return Clock::TimePoint::max();
  return now +
         std::chrono::duration_cast<Clock::TimePoint::duration>(deadline - SystemClock::now());
}

// Counts one call from its arrival to its answer.
class CallMeter {
 public:
  CallMeter(const ServiceContext& server, RpcMethod method) : server_(server), method_(method) {}

  Clock::TimePoint Arrive() {
    server_.metrics.AddInflight(1);
    arrival_ = server_.clock.Now();
    return arrival_;
  }
  // `model` is null if none was found.
  void Answer(const ServedModel* model, const absl::Status& status) {
    ModelMetrics& metrics = model != nullptr ? model->metrics() : server_.metrics.WithoutModel();
    metrics.CountRequest(method_, status.code(), SecondsBetween(arrival_, server_.clock.Now()));
    server_.metrics.AddInflight(-1);
  }

 private:
  const ServiceContext& server_;
  const RpcMethod method_;
  Clock::TimePoint arrival_;
};

class ClassifyCall final : public UnaryCall<v1::ClassifyRequest, v1::ClassifyResponse>,
                           public ClassificationTask {
 public:
  ClassifyCall(CallPool& home, const ServiceContext& server, Service& service,
               grpc::ServerCompletionQueue& completion_queue)
      : UnaryCall(home),
        server_(server),
        service_(service),
        completion_queue_(completion_queue),
        meter_(server, RpcMethod::kClassify) {}

  bool IsCancelled() const override { return cancelled(); }

  void Complete(const absl::Status& status, std::span<const Answer> answers) override {
    if (status.ok()) EncodeClassifyResponse(request(), images_, *model_, answers, response());
    meter_.Answer(model_.get(), status);
    // An idle call must keep neither a model alive nor the memory of an unusually large request.
    model_.reset();
    if (images_.inputs.capacity() > kMostKeptInputs) images_.inputs = std::vector<float>();
    Finish(status);
  }

 private:
  static constexpr std::size_t kMostKeptInputs = std::size_t{1} << 16;

  void Request(grpc::ServerContext& context, v1::ClassifyRequest& request, Responder& responder,
               void* tag) override {
    service_.RequestClassify(&context, &request, &responder, &completion_queue_, &completion_queue_,
                             tag);
  }

  void Handle() override {
    arrival_ = meter_.Arrive();
    deadline_ = OnClock(context().deadline(), arrival_);
    const absl::Status admitted = Admit();
    // Once it is queued, the call belongs to who computes it, and may even have been answered.
    if (admitted.ok()) return;
    if (absl::IsResourceExhausted(admitted)) AddRetryPushback();
    Complete(admitted, {});
  }

  absl::Status Admit() {
    LIPSERVE_ASSIGN_OR_RETURN(model_, FindModel(server_, request()));
    LIPSERVE_RETURN_IF_ERROR(
        DecodeClassifyRequest(request(), *model_, server_.max_images_per_call, images_));
    const bool is_quick = model_->ExpectedTime(images_.num_images) <= server_.inline_budget;
    return server_.queue.Admit(*this, is_quick ? Attendant::kCaller : Attendant::kWorker);
  }

  // Tells the client how long the queue needs at least to make room.
  void AddRetryPushback() {
    using std::chrono::milliseconds;
    const std::size_t ahead =
        server_.queue.queued_images() / std::max<std::size_t>(server_.workers, 1);
    const auto wait = std::chrono::ceil<milliseconds>(
        model_->time_per_image() * static_cast<std::chrono::nanoseconds::rep>(ahead));
    const milliseconds pushback = std::clamp(wait, milliseconds(1), milliseconds(1000));
    context().AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(pushback.count()));
  }

  const ServiceContext& server_;
  Service& service_;
  grpc::ServerCompletionQueue& completion_queue_;
  CallMeter meter_;
};

class DescribeModelCall final
    : public UnaryCall<v1::DescribeModelRequest, v1::DescribeModelResponse> {
 public:
  DescribeModelCall(CallPool& home, const ServiceContext& server, Service& service,
                    grpc::ServerCompletionQueue& completion_queue)
      : UnaryCall(home),
        server_(server),
        service_(service),
        completion_queue_(completion_queue),
        meter_(server, RpcMethod::kDescribeModel) {}

 private:
  void Request(grpc::ServerContext& context, v1::DescribeModelRequest& request,
               Responder& responder, void* tag) override {
    service_.RequestDescribeModel(&context, &request, &responder, &completion_queue_,
                                  &completion_queue_, tag);
  }

  void Handle() override {
    meter_.Arrive();
    response().Clear();
    const auto model = FindModel(server_, request());
    if (model.ok()) EncodeModelDescription(**model, server_.max_images_per_call, response());
    meter_.Answer(model.ok() ? model->get() : nullptr, model.status());
    Finish(model.status());
  }

  const ServiceContext& server_;
  Service& service_;
  grpc::ServerCompletionQueue& completion_queue_;
  CallMeter meter_;
};

class ListModelsCall final : public UnaryCall<v1::ListModelsRequest, v1::ListModelsResponse> {
 public:
  ListModelsCall(CallPool& home, const ServiceContext& server, Service& service,
                 grpc::ServerCompletionQueue& completion_queue)
      : UnaryCall(home),
        server_(server),
        service_(service),
        completion_queue_(completion_queue),
        meter_(server, RpcMethod::kListModels) {}

 private:
  void Request(grpc::ServerContext& context, v1::ListModelsRequest& request, Responder& responder,
               void* tag) override {
    service_.RequestListModels(&context, &request, &responder, &completion_queue_,
                               &completion_queue_, tag);
  }

  void Handle() override {
    meter_.Arrive();
    response().Clear();
    const absl::Status status = server_.health.CheckAnswering();
    if (status.ok()) {
      const std::shared_ptr<const ModelCatalog> catalog = server_.repository.catalog();
      for (const auto& model : catalog->models()) {
        EncodeModelIdentity(*model, *response().add_models());
      }
    }
    meter_.Answer(nullptr, status);
    Finish(status);
  }

  const ServiceContext& server_;
  Service& service_;
  grpc::ServerCompletionQueue& completion_queue_;
  CallMeter meter_;
};

}  // namespace

ClassifierCalls::ClassifierCalls(const ServiceContext& context, Service& service,
                                 grpc::ServerCompletionQueue& queue)
    : context_(context),
      classify_([this, &service, &queue](CallPool& home) {
        return std::make_unique<ClassifyCall>(home, context_, service, queue);
      }),
      describe_model_([this, &service, &queue](CallPool& home) {
        return std::make_unique<DescribeModelCall>(home, context_, service, queue);
      }),
      list_models_([this, &service, &queue](CallPool& home) {
        return std::make_unique<ListModelsCall>(home, context_, service, queue);
      }) {}

void ClassifierCalls::Post() {
  classify_.Post(kPostedClassifyCalls);
  describe_model_.Post(kPostedOtherCalls);
  list_models_.Post(kPostedOtherCalls);
}

void ClassifierCalls::StopAndWait() {
  for (CallPool* const pool : {&classify_, &describe_model_, &list_models_}) pool->StopPosting();
  for (CallPool* const pool : {&classify_, &describe_model_, &list_models_}) {
    pool->WaitUntilAllReturned();
  }
}

}  // namespace lipserve
