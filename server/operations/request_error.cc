// SPDX-License-Identifier: Apache-2.0
#include "server/operations/request_error.h"

#include <cstdint>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"

namespace lipserve {
namespace {

constexpr char kTypeUrlPrefix[] = "type.googleapis.com/";

template <typename Detail>
std::string TypeUrl() {
  return absl::StrCat(kTypeUrlPrefix, Detail::descriptor()->full_name());
}

template <typename Detail>
void SetDetail(absl::Status& status, const Detail& detail) {
  status.SetPayload(TypeUrl<Detail>(), absl::Cord(detail.SerializeAsString()));
}

}  // namespace

absl::Status InvalidField(absl::string_view field, absl::string_view description) {
  absl::Status status = absl::InvalidArgumentError(absl::StrCat(field, ": ", description));
  google::rpc::BadRequest detail;
  google::rpc::BadRequest::FieldViolation& violation = *detail.add_field_violations();
  violation.set_field(std::string(field));
  violation.set_description(std::string(description));
  SetDetail(status, detail);
  return status;
}

std::string Quoted(absl::string_view text) {
  constexpr std::size_t kLongest = 128;
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, kLongest)),
                      text.size() > kLongest ? "...'" : "'");
}

void SetRetryDelay(absl::Status& status, std::chrono::milliseconds delay) {
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  const auto whole = std::chrono::duration_cast<seconds>(delay);
  google::rpc::RetryInfo detail;
  detail.mutable_retry_delay()->set_seconds(whole.count());
  detail.mutable_retry_delay()->set_nanos(
      static_cast<std::int32_t>(nanoseconds(delay - whole).count()));
  SetDetail(status, detail);
}

std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status) {
  const auto payload = status.GetPayload(TypeUrl<google::rpc::RetryInfo>());
  google::rpc::RetryInfo detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return std::chrono::seconds(detail.retry_delay().seconds()) +
         std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::nanoseconds(detail.retry_delay().nanos()));
}

void ToRpcStatus(const absl::Status& status, google::rpc::Status& message) {
  message.Clear();
  message.set_code(static_cast<std::int32_t>(status.code()));
  message.set_message(std::string(status.message()));
  status.ForEachPayload([&message](absl::string_view type_url, const absl::Cord& payload) {
    google::protobuf::Any& detail = *message.add_details();
    detail.set_type_url(std::string(type_url));
    detail.set_value(std::string(payload));
  });
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status message;
  ToRpcStatus(status, message);
  return {static_cast<grpc::StatusCode>(status.code()), message.message(),
          message.details().empty() ? std::string() : message.SerializeAsString()};
}

}  // namespace lipserve
