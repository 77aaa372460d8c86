// SPDX-License-Identifier: Apache-2.0
#include "tests/benchmarks/echo_service.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "lipserve/v1/classifier.grpc.pb.h"

namespace lipserve {
namespace {

class EchoServer {
 public:
  explicit EchoServer(v1::ClassifyResponse response) : response_(std::move(response)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    for (int i = 0; i < 128; ++i) calls_.push_back(std::make_unique<Call>());
    for (const auto& call : calls_) Post(*call);
    poller_ = std::thread([this] { Poll(); });
  }
  ~EchoServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    queue_->Shutdown();
    poller_.join();
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  int port() const { return port_; }

 private:
  struct Call {
    std::optional<grpc::ServerContext> context;
    std::optional<grpc::ServerAsyncResponseWriter<v1::ClassifyResponse>> responder;
    v1::ClassifyRequest request;
    bool answered = false;
  };

  void Post(Call& call) {
    call.responder.reset();
    call.context.emplace();
    call.responder.emplace(&*call.context);
    call.answered = false;
    service_.RequestClassify(&*call.context, &call.request, &*call.responder, queue_.get(),
                             queue_.get(), &call);
  }

  void Poll() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
      Call& call = *static_cast<Call*>(tag);
      if (call.answered) {
        Post(call);
      } else if (ok) {
        call.answered = true;
        call.responder->Finish(response_, grpc::Status::OK, &call);
      }
    }
  }

  const v1::ClassifyResponse response_;
  int port_ = 0;
  v1::ClassifierService::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::thread poller_;
};

}  // namespace

void ServeEcho(const std::string& answer, const ServiceProcess::PortTaker& take_port) {
  v1::ClassifyResponse response;
  if (!response.ParseFromString(answer)) std::abort();
  const EchoServer echo(std::move(response));
  take_port(echo.port());
}

}  // namespace lipserve
