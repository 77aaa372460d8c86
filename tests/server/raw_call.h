// SPDX-License-Identifier: Apache-2.0
// A unary call whose request is any bytes.
#ifndef TESTS_SERVER_RAW_CALL_H_
#define TESTS_SERVER_RAW_CALL_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <string>

#include "tests/server/test_server.h"

namespace lipserve {

// What a call with these bytes as its request ends with.
inline grpc::Status SendBytes(TestServer& server, const std::string& method,
                              const std::string& bytes) {
  grpc::GenericStub stub(server.channel());
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status;
}

}  // namespace lipserve

#endif  // TESTS_SERVER_RAW_CALL_H_
