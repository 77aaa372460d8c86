// SPDX-License-Identifier: Apache-2.0
#include "client/load/load_generator.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/balanced_channel.h"

namespace lipserve {
namespace {

using LoadClock = std::chrono::steady_clock;
using Messages = std::vector<grpc::ByteBuffer>;  // serialised requests

constexpr char kMethod[] = "/lipserve.v1.ClassifierService/Classify";
// The most calls sent between two polls for answers, where many are due at once.
constexpr int kMaxSendsBetweenPolls = 8;

// When calls are due: call k of a connection at start + (k + offset) / rate.
class Schedule {
 public:
  Schedule(LoadClock::time_point start, std::optional<double> rate, double offset)
      : start_(start), interval_ns_(rate ? 1e9 / *rate : 0.0), offset_(offset) {}

  bool is_open_loop() const { return interval_ns_ > 0.0; }
  LoadClock::time_point Due(std::uint64_t call) const {
    const double ns = (static_cast<double>(call) + offset_) * interval_ns_;
    return start_ + std::chrono::nanoseconds(std::llround(ns));
  }
  // How many calls are due before `time`. Requires: an open loop.
  std::uint64_t CountBefore(LoadClock::time_point time) const {
    const double intervals =
        std::chrono::duration<double, std::nano>(time - start_).count() / interval_ns_;
    auto count = static_cast<std::uint64_t>(std::max(0.0, std::ceil(intervals - offset_)));
    while (count > 0 && Due(count - 1) >= time) --count;
    while (Due(count) < time) ++count;
    return count;
  }

 private:
  LoadClock::time_point start_;
  double interval_ns_;
  double offset_;
};

// The calls of one connection's thread.
class LoadConnection {
 public:
  LoadConnection(const Messages& requests, const LoadOptions& options, std::size_t index,
                 LoadClock::time_point start)
      : requests_(requests),
        options_(options),
        schedule_(start,
                  options.rate
                      ? std::optional(*options.rate / static_cast<double>(options.connections))
                      : std::nullopt,
                  static_cast<double>(index) / static_cast<double>(options.connections)),
        measured_from_(start + absl::ToChronoNanoseconds(options.warm_up)),
        end_(measured_from_ + absl::ToChronoNanoseconds(options.duration)),
        stub_(MakePlainChannel(options.target, options.credentials)),
        calls_(options.outstanding / options.connections +
               (index < options.outstanding % options.connections ? 1 : 0)),
        next_request_(index) {
    for (Call& call : calls_) idle_.push_back(&call);
  }

  void Run() {
    for (;;) {
      SendDueCalls();
      const bool all_sent = NextDue() >= end_ || LoadClock::now() >= end_;
      if (all_sent && idle_.size() == calls_.size()) break;
      void* tag = nullptr;
      bool ok = false;
      // Until an answer comes, or the next call is due and may be sent.
      const auto wait =
          idle_.empty() || all_sent ? LoadClock::duration::max() : NextDue() - LoadClock::now();
      if (Wait(wait, tag, ok)) TakeAnswer(*static_cast<Call*>(tag));
    }
    if (!schedule_.is_open_loop()) return;
    const std::uint64_t due = schedule_.CountBefore(end_);
    result_.unsent = due - std::min(next_call_, due);
  }

  const LoadResult& result() const { return result_; }

 private:
  struct Call {
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ClassifyResponse>> reader;
    v1::ClassifyResponse response;
    grpc::Status status;
    LoadClock::time_point due;
    LoadClock::time_point sent;
  };

  LoadClock::time_point NextDue() const {
    return schedule_.is_open_loop() ? schedule_.Due(next_call_) : LoadClock::now();
  }

  bool Wait(LoadClock::duration wait, void*& tag, bool& ok) {
    if (wait == LoadClock::duration::max()) return queue_.Next(&tag, &ok);
    return queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + wait) ==
           grpc::CompletionQueue::GOT_EVENT;
  }

  void SendDueCalls() {
    SkipUnsentWarmUp();
    for (int sent = 0; sent < kMaxSendsBetweenPolls && !idle_.empty(); ++sent) {
      const LoadClock::time_point now = LoadClock::now();
      const LoadClock::time_point due = schedule_.is_open_loop() ? schedule_.Due(next_call_) : now;
      if (due > now || now >= end_) return;
      Call& call = *idle_.back();
      idle_.pop_back();
      if (schedule_.is_open_loop() && due >= measured_from_) result_.sent_late.Record(now - due);
      call.sent = now;
      Send(call, due);
    }
  }

  // Skips calls of the warm-up that are still waiting. Behind an overloaded server they would delay
  // the calls that are measured.
  void SkipUnsentWarmUp() {
    if (warm_ || LoadClock::now() < measured_from_) return;
    warm_ = true;
    if (!schedule_.is_open_loop()) return;
    next_call_ = std::max(next_call_, schedule_.CountBefore(measured_from_));
  }

  void Send(Call& call, LoadClock::time_point due) {
    call.reader.reset();
    call.context.emplace();
    call.context->set_deadline(std::chrono::system_clock::now() +
                               absl::ToChronoNanoseconds(options_.timeout));
    call.due = due;
    call.reader = stub_.PrepareUnaryCall(&*call.context, kMethod,
                                         requests_[next_request_ % requests_.size()], &queue_);
    call.reader->StartCall();
    call.reader->Finish(&call.response, &call.status, &call);
    next_request_ += options_.connections;
    ++next_call_;
  }

  void TakeAnswer(Call& call) {
    idle_.push_back(&call);
    if (call.due < measured_from_) return;
    const LoadClock::time_point now = LoadClock::now();
    const std::chrono::nanoseconds latency = now - call.due;
    ++result_.calls[call.status.error_code()];
    if (call.status.ok()) {
      result_.answered.Record(latency);
      result_.images += static_cast<std::uint64_t>(call.response.classifications_size());
      for (const v1::Classification& answer : call.response.classifications()) {
        if (answer.certified_radius_l2() == 0.0) ++result_.uncertified;
      }
      return;
    }
    if (call.status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      result_.refused.Record(latency);
      result_.refused_since_sent.Record(now - call.sent);
    }
    if (result_.first_error.empty()) result_.first_error = call.status.error_message();
  }

  const Messages& requests_;
  const LoadOptions& options_;
  const Schedule schedule_;
  const LoadClock::time_point measured_from_;
  const LoadClock::time_point end_;
  grpc::TemplatedGenericStub<grpc::ByteBuffer, v1::ClassifyResponse> stub_;
  grpc::CompletionQueue queue_;
  std::vector<Call> calls_;
  std::vector<Call*> idle_;
  std::size_t next_request_;
  std::uint64_t next_call_ = 0;
  bool warm_ = false;
  LoadResult result_;
};

void Add(const LoadResult& part, LoadResult& sum) {
  for (const auto& [code, count] : part.calls) sum.calls[code] += count;
  sum.answered.Add(part.answered);
  sum.refused.Add(part.refused);
  sum.refused_since_sent.Add(part.refused_since_sent);
  sum.images += part.images;
  sum.uncertified += part.uncertified;
  sum.sent_late.Add(part.sent_late);
  sum.unsent += part.unsent;
  if (sum.first_error.empty()) sum.first_error = part.first_error;
}

Messages Serialise(const std::vector<v1::ClassifyRequest>& requests) {
  Messages messages;
  messages.reserve(requests.size());
  for (const v1::ClassifyRequest& request : requests) {
    const grpc::Slice slice(request.SerializeAsString());
    messages.emplace_back(&slice, 1);
  }
  return messages;
}

}  // namespace

std::uint64_t LoadResult::total() const {
  std::uint64_t sum = 0;
  for (const auto& [code, count] : calls) sum += count;
  return sum;
}

LoadResult GenerateLoad(const std::vector<v1::ClassifyRequest>& requests,
                        const LoadOptions& options) {
  const Messages messages = Serialise(requests);
  const LoadClock::time_point start = LoadClock::now();
  std::vector<std::unique_ptr<LoadConnection>> connections;
  for (std::size_t i = 0; i < options.connections; ++i) {
    connections.push_back(std::make_unique<LoadConnection>(messages, options, i, start));
  }
  std::vector<std::thread> threads;
  for (const auto& connection : connections) {
    threads.emplace_back([&connection] { connection->Run(); });
  }
  for (std::thread& thread : threads) thread.join();
  LoadResult result;
  result.duration = options.duration;
  for (const auto& connection : connections) Add(connection->result(), result);
  return result;
}

}  // namespace lipserve
