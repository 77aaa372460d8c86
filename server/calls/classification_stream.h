// SPDX-License-Identifier: Apache-2.0
// The life of a stream of requests to classify, on gRPC's completion queue.
//
//   Post -> [read -> decode -> queue -> ... -> encode -> write]* -> Finish -> back to the pool
//
// Several requests of a stream are in flight at once, so that they can share a batch. Answers are
// written in the order of the requests. When the window is full, the stream is not read, and HTTP/2
// flow control holds the client back.
#ifndef SERVER_CALLS_CLASSIFICATION_STREAM_H_
#define SERVER_CALLS_CLASSIFICATION_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "model/foundation/mutex.h"
#include "server/calls/classification_request.h"
#include "server/rpc/async_call.h"
#include "server/rpc/completion_event.h"
#include "server/rpc/method_binding.h"

namespace lipserve {

// A call of a streaming method. `Protocol` has what ClassificationRequest needs, and:
//
//   using StreamRequest, StreamResponse;
//   static const Request& Unwrap(const StreamRequest&);
//   static Response& Wrap(StreamResponse&);              // where the answer goes
//   static void EncodeError(const Request&, const absl::Status&, StreamResponse&);
//
// Threads: pollers deliver events, at most one of each kind at a time. Answers come from any
//          thread.
template <typename Service, typename Protocol>
class ClassificationStream final : public AsyncCall {
  using StreamRequest = typename Protocol::StreamRequest;
  using StreamResponse = typename Protocol::StreamResponse;

 public:
  using Method = StreamMethod<Service, StreamRequest, StreamResponse>;

  ClassificationStream(CallPool& pool, const Method& method, const ServiceContext& server,
                       RpcMethod rpc_method)
      : AsyncCall(pool), method_(method), server_(server), rpc_method_(rpc_method) {}

 private:
  // Requests of one stream in flight. More than fill a batch, at the usual size of a stream's
  // requests, would wait in the queue instead of in the client.
  static constexpr std::size_t kWindow = 16;

  // One request in flight.
  class Slot final : public ClassificationRequest<Protocol> {
   public:
    explicit Slot(ClassificationStream& stream)
        : ClassificationRequest<Protocol>(stream.server_, stream.rpc_method_), stream_(stream) {}

    bool IsCancelled() const override { return stream_.cancelled(); }

    void Start() {
      this->Begin(Protocol::Unwrap(request), stream_.context(), Protocol::Wrap(response));
    }

    StreamRequest request;
    StreamResponse response;
    bool answered = false;  // guarded by the stream's mutex

   private:
    void OnCompleted(const absl::Status& status) override {
      if (!status.ok()) Protocol::EncodeError(Protocol::Unwrap(request), status, response);
      stream_.OnAnswered(*this);
    }

    ClassificationStream& stream_;
  };

  void RequestNext(grpc::ServerContext& context, void* arrived) override {
    {
      MutexLock lock(mutex_);
      read_ = written_ = 0;
      reading_ = writing_ = reads_ended_ = finishing_ = false;
    }
    stream_.emplace(&context);
    method_.RequestCall(context, *stream_, arrived);
  }

  void OnArrived() override {
    MutexLock lock(mutex_);
    StartOperations();
  }

  void OnRead(bool ok) {
    if (ok) {
      Slot* slot = nullptr;
      {
        MutexLock lock(mutex_);
        slot = slots_[read_ % kWindow].get();
        ++read_;
      }
      // reading_ is still true, so this call cannot end, and serve another RPC, in the meantime.
      slot->Start();
    }
    MutexLock lock(mutex_);
    reading_ = false;
    if (!ok) reads_ended_ = true;
    StartOperations();
  }

  void OnAnswered(Slot& slot) {
    MutexLock lock(mutex_);
    slot.answered = true;
    StartOperations();
  }

  void OnWritten(bool ok) {
    MutexLock lock(mutex_);
    writing_ = false;
    slots_[written_ % kWindow]->answered = false;
    ++written_;
    if (!ok) reads_ended_ = true;  // the client disconnected; a pending read fails too
    StartOperations();
  }

  // Starts each operation that can start now.
  void StartOperations() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!writing_ && written_ < read_ && slots_[written_ % kWindow]->answered) {
      writing_ = true;
      stream_->Write(slots_[written_ % kWindow]->response, &written_event_);
    }
    if (!reading_ && !reads_ended_ && read_ - written_ < kWindow) {
      std::unique_ptr<Slot>& slot = slots_[read_ % kWindow];
      if (slot == nullptr) slot = std::make_unique<Slot>(*this);
      reading_ = true;
      stream_->Read(&slot->request, &read_event_);
    }
    if (reads_ended_ && !reading_ && !writing_ && read_ == written_ && !finishing_) {
      finishing_ = true;
      stream_->Finish(grpc::Status::OK, FinishTag());
    }
  }

  void Release() override {
    {
      // An idle call must not keep the memory of its requests.
      MutexLock lock(mutex_);
      for (std::unique_ptr<Slot>& slot : slots_) slot.reset();
    }
    stream_.reset();
  }

  const Method method_;
  const ServiceContext& server_;
  const RpcMethod rpc_method_;
  std::optional<grpc::ServerAsyncReaderWriter<StreamResponse, StreamRequest>> stream_;

  Mutex mutex_;
  std::array<std::unique_ptr<Slot>, kWindow> slots_ ABSL_GUARDED_BY(mutex_);
  std::size_t read_ ABSL_GUARDED_BY(mutex_) = 0;     // requests so far
  std::size_t written_ ABSL_GUARDED_BY(mutex_) = 0;  // answers so far
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;

  CallEvent<ClassificationStream, &ClassificationStream::OnRead> read_event_{*this};
  CallEvent<ClassificationStream, &ClassificationStream::OnWritten> written_event_{*this};
};

}  // namespace lipserve

#endif  // SERVER_CALLS_CLASSIFICATION_STREAM_H_
