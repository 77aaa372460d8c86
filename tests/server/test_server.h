// SPDX-License-Identifier: Apache-2.0
// A running server on free loopback ports, and clients to ask it with.
#ifndef TESTS_SERVER_TEST_SERVER_H_
#define TESTS_SERVER_TEST_SERVER_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"
#include "lipserve/v1/classifier.grpc.pb.h"
#include "model/foundation/mutex.h"
#include "server/repository/repository_loader.h"
#include "server/server.h"
#include "tests/server/http_get.h"
#include "tests/server/small_model.h"

namespace lipserve {

inline ServerOptions TestOptions(const TemporaryFolder& folder) {
  ServerOptions options;
  options.models_folder = folder.path();
  options.grpc.port = 0;
  options.http.port = 0;
  options.workers = 2;
  options.max_batch = 4;
  options.max_images_per_call = 32;
  return options;
}

// A request for images of the small model.
inline v1::ClassifyRequest Fp32Request(const std::string& name, const std::vector<float>& inputs) {
  v1::ClassifyRequest request;
  request.set_model_name(name);
  v1::ImageBatch& images = *request.mutable_images();
  images.set_element_type(v1::ELEMENT_TYPE_FP32);
  images.add_shape(static_cast<std::int64_t>(inputs.size() / kSmallInputSize));
  images.add_shape(kSmallInputSize);
  images.mutable_data()->assign(reinterpret_cast<const char*>(inputs.data()),
                                inputs.size() * sizeof(float));
  return request;
}

// A connection of its own to the server.
inline std::shared_ptr<grpc::Channel> ConnectTo(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                   grpc::InsecureChannelCredentials(), arguments);
}

// One length-delimited protobuf field, for messages whose generated code Debian does not ship.
inline std::string ProtobufField(int number, const std::string& value) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(value.size()) +
         value;
}

// A client's stream that is not read with generated code.
class RawStream {
 public:
  RawStream(std::shared_ptr<grpc::Channel> channel, const std::string& method,
            const std::string& request)
      : stub_(std::move(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    stream_ = stub_.PrepareCall(&context_, method, &queue_);
    stream_->StartCall(nullptr);
    Succeeds();
    const grpc::Slice slice(request);
    stream_->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    Succeeds();
  }
  ~RawStream() {
    context_.TryCancel();
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    Succeeds();
    queue_.Shutdown();
  }
  RawStream(const RawStream&) = delete;
  RawStream& operator=(const RawStream&) = delete;

  // The next message, or empty if the stream has ended.
  std::string Read() {
    grpc::ByteBuffer buffer;
    stream_->Read(&buffer, nullptr);
    grpc::Slice slice;
    if (!Succeeds() || !buffer.DumpToSingleSlice(&slice).ok()) return "";
    return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
  }

 private:
  bool Succeeds() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

// HealthCheckResponse has one field: 1: SERVING, 2: NOT_SERVING.
inline std::string HealthText(const std::string& message) {
  if (message == std::string("\x08\x01")) return "SERVING";
  if (message == std::string("\x08\x02")) return "NOT_SERVING";
  return "NOT_FOUND";
}

// A HealthCheckRequest: of a service, a model, or the whole server.
inline std::string HealthRequest(const std::string& service) {
  return service.empty() ? "" : ProtobufField(1, service);
}

// A watch of the health of the whole server or of a service.
class HealthWatch {
 public:
  HealthWatch(std::shared_ptr<grpc::Channel> channel, const std::string& service)
      : stream_(std::move(channel), "/grpc.health.v1.Health/Watch", HealthRequest(service)) {}
  std::string Next() { return HealthText(stream_.Read()); }

 private:
  RawStream stream_;
};

// The outcome of something that tells it later.
inline absl::Status Await(const std::function<void(RepositoryLoader::Done)>& start) {
  std::promise<absl::Status> outcome;
  start([&outcome](const absl::Status& status) { outcome.set_value(status); });
  return outcome.get_future().get();
}

using InferenceStub = inference::GRPCInferenceService::Stub;

class TestServer {
 public:
  explicit TestServer(const ServerOptions& options, const Clock& clock = DefaultClock())
      : server_(Server::Start(options, clock).value()), loaded_(server_->WaitUntilServing()) {
    channel_ = ConnectTo(server_->grpc_address().port);
    stub_ = v1::ClassifierService::NewStub(channel_);
    inference_ = inference::GRPCInferenceService::NewStub(channel_);
  }

  Server& server() { return *server_; }
  const absl::Status& loaded() const { return loaded_; }
  v1::ClassifierService::Stub& stub() { return *stub_; }
  InferenceStub& inference() { return *inference_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }
  std::string Metrics() { return HttpGet(server_->http_address().port, "/metrics"); }

  grpc::Status Classify(const v1::ClassifyRequest& request,
                        v1::ClassifyResponse* response = nullptr) {
    grpc::ClientContext context;
    v1::ClassifyResponse ignored;
    return stub_->Classify(&context, request, response != nullptr ? response : &ignored);
  }

  // Waits until the metrics contain `line`.
  void WaitForMetric(const std::string& line) {
    while (Metrics().find(line) == std::string::npos) std::this_thread::yield();
  }

  std::string HealthOf(const std::string& service) {
    return HealthText(
        RawStream(channel_, "/grpc.health.v1.Health/Check", HealthRequest(service)).Read());
  }
  std::unique_ptr<HealthWatch> WatchHealth(const std::string& service = "") {
    return std::make_unique<HealthWatch>(channel_, service);
  }

  // What the repository's loader does, and waits for it.
  absl::Status Load(const std::string& model) {
    return Await([&](auto done) { server_->loader().Load(model, std::move(done)); });
  }
  absl::Status Unload(const std::string& model) {
    return Await([&](auto done) { server_->loader().Unload(model, std::move(done)); });
  }
  absl::Status Poll() {
    return Await([&](auto done) { server_->loader().Poll(std::move(done)); });
  }

  // The reflection service's answer to "list_services", which contains their names.
  std::string ReflectedServices() {
    return RawStream(channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                     ProtobufField(7, "*"))
        .Read();
  }

 private:
  static const Clock& DefaultClock() {
    static const SteadyClock clock;
    return clock;
  }

  std::unique_ptr<Server> server_;
  absl::Status loaded_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ClassifierService::Stub> stub_;
  std::unique_ptr<InferenceStub> inference_;
};

// Classify calls in progress.
class AsyncCalls {
 public:
  struct Result {
    std::string Trailer(const std::string& key) const {
      const auto found = context.GetServerTrailingMetadata().find(key);
      if (found == context.GetServerTrailingMetadata().end()) return "";
      return {found->second.data(), found->second.size()};
    }

    grpc::ClientContext context;
    v1::ClassifyResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ClassifyResponse>> reader;
  };

  AsyncCalls(v1::ClassifierService::Stub& stub, v1::ClassifyRequest request)
      : stub_(stub), request_(std::move(request)), poller_([this] { Poll(); }) {}
  ~AsyncCalls() {
    CancelAll();
    queue_.Shutdown();
    poller_.join();
  }
  AsyncCalls(const AsyncCalls&) = delete;
  AsyncCalls& operator=(const AsyncCalls&) = delete;

  void Start() {
    Result& call = calls_.emplace_back();
    call.reader = stub_.AsyncClassify(&call.context, request_, &queue_);
    call.reader->Finish(&call.response, &call.status, &call);
  }
  // The next call that ends.
  const Result& Wait() {
    MutexLock lock(mutex_);
    while (ended_.empty()) one_ended_.Wait(mutex_);
    const Result& call = *ended_.front();
    ended_.pop_front();
    return call;
  }
  const Result& StartAndWait() {
    Start();
    return Wait();
  }
  void CancelAll() {
    for (Result& call : calls_) call.context.TryCancel();
  }

 private:
  // Without a thread that polls, not even the request is sent.
  void Poll() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      MutexLock lock(mutex_);
      ended_.push_back(static_cast<const Result*>(tag));
      one_ended_.NotifyOne();
    }
  }

  v1::ClassifierService::Stub& stub_;
  const v1::ClassifyRequest request_;
  grpc::CompletionQueue queue_;
  std::deque<Result> calls_;
  Mutex mutex_;
  CondVar one_ended_;
  std::deque<const Result*> ended_ ABSL_GUARDED_BY(mutex_);
  std::thread poller_;
};

}  // namespace lipserve

#endif  // TESTS_SERVER_TEST_SERVER_H_
