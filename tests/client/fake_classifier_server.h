// SPDX-License-Identifier: Apache-2.0
// A server that answers as a test tells it to, on a loopback port of its own.
#ifndef TESTS_CLIENT_FAKE_CLASSIFIER_SERVER_H_
#define TESTS_CLIENT_FAKE_CLASSIFIER_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipserve/v1/classifier.grpc.pb.h"
#include "tests/client/sample_report.h"

namespace lipserve {

// Serves SampleModel(). By default every image gets class 0 with its own first pixel as radius.
class FakeClassifierServer final : public v1::ClassifierService::Service {
 public:
  // What Classify does instead of answering; OK goes on to the default answer.
  using Behaviour =
      std::function<grpc::Status(grpc::ServerContext&, int call, v1::ClassifyResponse& response)>;

  explicit FakeClassifierServer(Behaviour behaviour = nullptr) : behaviour_(std::move(behaviour)) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~FakeClassifierServer() override { Stop(); }

  void Stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  void SetServing(bool serving) { server_->GetHealthCheckService()->SetServingStatus(serving); }

  const std::string& address() const { return address_; }
  std::vector<v1::ClassifyRequest> requests() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

 private:
  grpc::Status Classify(grpc::ServerContext* context, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override {
    int call = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      call = static_cast<int>(requests_.size());
      requests_.push_back(*request);
    }
    const auto count = static_cast<std::size_t>(request->images().shape(0));
    const std::string& data = request->images().data();
    std::vector<SampleAnswer> answers;
    for (std::size_t i = 0; i < count; ++i) {
      const auto pixel = static_cast<unsigned char>(data[i * (data.size() / count)]);
      answers.push_back({0, static_cast<double>(pixel), pixel >= request->epsilon()});
    }
    *response = SampleResponse(answers);
    response->set_request_id(request->request_id());
    if (request->radius_precision() != v1::RADIUS_PRECISION_UNSPECIFIED) {
      response->set_radius_precision(request->radius_precision());
    }
    return behaviour_ == nullptr ? grpc::Status::OK : behaviour_(*context, call, *response);
  }

  grpc::Status DescribeModel(grpc::ServerContext* /*context*/,
                             const v1::DescribeModelRequest* request,
                             v1::DescribeModelResponse* response) override {
    if (!request->model_name().empty() && request->model_name() != "mnist08") {
      return {grpc::StatusCode::NOT_FOUND,
              absl::StrCat("model \"", request->model_name(), "\": not served")};
    }
    *response = SampleModel();
    return grpc::Status::OK;
  }

  grpc::Status ListModels(grpc::ServerContext* /*context*/,
                          const v1::ListModelsRequest* /*request*/,
                          v1::ListModelsResponse* response) override {
    *response->add_models() = SampleModel().model();
    return grpc::Status::OK;
  }

  Behaviour behaviour_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  mutable std::mutex mutex_;
  std::vector<v1::ClassifyRequest> requests_;  // guarded by mutex_
};

}  // namespace lipserve

#endif  // TESTS_CLIENT_FAKE_CLASSIFIER_SERVER_H_
