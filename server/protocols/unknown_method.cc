// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/unknown_method.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "inference/grpc_service.grpc.pb.h"
#include "lipserve/v1/classifier.grpc.pb.h"
#include "proto/text/near_name.h"
#include "server/operations/request_error.h"
#include "server/rpc/completion_event.h"

namespace lipserve {
namespace {

constexpr std::size_t kPostedUnknown = 4;
constexpr char kReflection[] = "grpc.reflection.v1alpha.ServerReflection";

std::vector<std::string> ServiceNames() {
  return {v1::ClassifierService::service_full_name(),
          inference::GRPCInferenceService::service_full_name(),
          grpc::health::v1::Health::service_full_name(), kReflection};
}

// The methods of a service that this server has; empty if it has no such service.
std::vector<std::string> MethodsOf(const std::string& service) {
  std::vector<std::string> methods;
  if (service == kReflection) return {"ServerReflectionInfo"};
  const auto* const pool = google::protobuf::DescriptorPool::generated_pool();
  const google::protobuf::ServiceDescriptor* const found = pool->FindServiceByName(service);
  for (int i = 0; found != nullptr && i < found->method_count(); ++i) {
    methods.push_back(found->method(i)->name());
  }
  return methods;
}

// What to do instead of a method of Triton that this server leaves out, or "".
std::string InsteadOf(const std::string& method) {
  if (absl::StrContains(method, "SharedMemory")) {
    return "this server has no shared memory, so there is nothing to register or to unregister; "
           "send the elements in raw_input_contents of ModelInfer";
  }
  if (absl::StartsWith(method, "Trace")) {
    return "this server keeps no traces; ModelStatistics and /metrics have the durations, and "
           "--log-requests or LogSettings logs single requests";
  }
  return "";
}

std::string Nearest(const std::string& name, const std::vector<std::string>& known) {
  const std::string near = NearName(name, known);
  return near.empty() ? "" : absl::StrCat("; did you mean ", near, "?");
}

class UnknownMethodCall final : public PooledCall {
 public:
  UnknownMethodCall(CallPool& pool, grpc::AsyncGenericService& service,
                    grpc::ServerCompletionQueue& queue)
      : pool_(pool), service_(service), queue_(queue) {}

  void Post() override {
    context_.emplace();
    stream_.emplace(&*context_);
    service_.RequestCall(&*context_, &*stream_, &queue_, &queue_, &arrived_);
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return pool_.Return(*this);  // the gRPC server shut down
    pool_.CountArrival();
    stream_->Finish(ToGrpcStatus(UnknownMethodError(context_->method())), &finished_);
  }

  void OnFinished(bool /*ok*/) {
    stream_.reset();
    context_.reset();
    pool_.Return(*this);
  }

  CallPool& pool_;
  grpc::AsyncGenericService& service_;
  grpc::ServerCompletionQueue& queue_;
  std::optional<grpc::GenericServerContext> context_;
  std::optional<grpc::GenericServerAsyncReaderWriter> stream_;
  CallEvent<UnknownMethodCall, &UnknownMethodCall::OnArrived> arrived_{*this};
  CallEvent<UnknownMethodCall, &UnknownMethodCall::OnFinished> finished_{*this};
};

}  // namespace

absl::Status UnknownMethodError(const std::string& path) {
  // "/service/method"
  const std::size_t slash = path.rfind('/');
  const bool has_both = slash != std::string::npos && slash > 0 && path.front() == '/';
  const std::string service = has_both ? path.substr(1, slash - 1) : "";
  const std::string method = has_both ? path.substr(slash + 1) : path;
  const std::vector<std::string> services = ServiceNames();
  const std::vector<std::string> methods = MethodsOf(service);
  if (std::find(services.begin(), services.end(), service) == services.end()) {
    return absl::UnimplementedError(absl::StrCat("expected a method of ",
                                                 absl::StrJoin(services, ", "), ", got ",
                                                 Quoted(path), Nearest(service, services)));
  }
  const std::string instead = InsteadOf(method);
  if (!instead.empty()) {
    return absl::UnimplementedError(absl::StrCat(Quoted(path), ": ", instead));
  }
  return absl::UnimplementedError(absl::StrCat("expected a method of ", service, " (",
                                               absl::StrJoin(methods, ", "), "), got ",
                                               Quoted(path), Nearest(method, methods)));
}

void AddUnknownMethodCalls(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue,
                           MethodPools& pools) {
  pools.Add(kPostedUnknown, [&service, &queue](CallPool& pool) {
    return std::make_unique<UnknownMethodCall>(pool, service, queue);
  });
}

}  // namespace lipserve
