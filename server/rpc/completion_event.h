// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_COMPLETION_EVENT_H_
#define SERVER_RPC_COMPLETION_EVENT_H_

namespace lipserve {

// A tag on gRPC's completion queue.
class CompletionEvent {
 public:
  // Takes the event. `ok` is gRPC's: false if the operation did not take place.
  virtual void Dispatch(bool ok) = 0;

 protected:
  ~CompletionEvent() = default;
};

// The event that calls one function of a call.
template <typename Call, void (Call::*Handler)(bool)>
class CallEvent final : public CompletionEvent {
 public:
  explicit CallEvent(Call& call) : call_(call) {}
  void Dispatch(bool ok) override { (call_.*Handler)(ok); }

 private:
  Call& call_;
};

}  // namespace lipserve

#endif  // SERVER_RPC_COMPLETION_EVENT_H_
