// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_COMPLETION_EVENT_H_
#define SERVER_RPC_COMPLETION_EVENT_H_

namespace lipserve {

// A tag on gRPC's completion queue: what to do when the operation completes.
class CompletionEvent {
 public:
  // Handles the event. `ok` comes from gRPC: false if the operation did not take place.
  virtual void Dispatch(bool ok) = 0;

 protected:
  ~CompletionEvent() = default;
};

// An event that calls one member function:
//
//   CallEvent<MyCall, &MyCall::OnWritten> written_event_{*this};
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
