// SPDX-License-Identifier: Apache-2.0
#include "server/security/access_control.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "proto/text/text_file.h"
#include "server/operations/request_error.h"

namespace lipserve {
namespace {

// The names in the client's certificate, as gRPC extracted them.
std::vector<std::string> ClientNames(const grpc::ServerContext& context) {
  std::vector<std::string> names;
  for (const grpc::string_ref& name : context.auth_context()->GetPeerIdentity()) {
    names.emplace_back(name.data(), name.size());
  }
  return names;
}

absl::Status CheckMetadataSize(const grpc::ServerContext& context) {
  constexpr std::size_t kEntryOverhead = 32;
  std::size_t bytes = 0;
  for (const auto& [name, value] : context.client_metadata()) {
    bytes += name.size() + value.size() + kEntryOverhead;
  }
  if (bytes <= AccessControl::kMaxMetadataBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("metadata: expected at most ",
                                                 AccessControl::kMaxMetadataBytes, " bytes, got ",
                                                 bytes, "; send fewer or shorter headers"));
}

}  // namespace

absl::Status AccessControl::Read() {
  if (settings_.path.empty()) return absl::OkStatus();
  const std::optional<FileFingerprint> file = FingerprintOf(settings_.path);
  LIPSERVE_ASSIGN_OR_RETURN(std::shared_ptr<const AccessPolicy> policy, ReadFile());
  MutexLock lock(mutex_);
  policy_ = std::move(policy);
  file_ = file;
  next_check_ = clock_.Now() + settings_.refresh;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const AccessPolicy>> AccessControl::ReadFile() const {
  const absl::StatusOr<std::string> text = ReadTextFile(settings_.path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--access-policy: expected a readable file, got ", std::string(text.status().message())));
  }
  LIPSERVE_ASSIGN_OR_RETURN(AccessPolicy policy, AccessPolicy::Parse(*text, settings_.path));
  return std::make_shared<const AccessPolicy>(std::move(policy));
}

std::shared_ptr<const AccessPolicy> AccessControl::Current() {
  const Clock::TimePoint now = clock_.Now();
  {
    MutexLock lock(mutex_);
    if (now < next_check_) return policy_;
    next_check_ = now + settings_.refresh;  // concurrent calls use the former policy
    const std::optional<FileFingerprint> file = FingerprintOf(settings_.path);
    if (file == file_) return policy_;
    file_ = file;
  }
  absl::StatusOr<std::shared_ptr<const AccessPolicy>> policy = ReadFile();
  settings_.log(policy.ok() ? absl::StrCat("access policy: read anew from ", settings_.path)
                            : absl::StrCat("access policy: the former one stays in force: ",
                                           std::string(policy.status().message())));
  MutexLock lock(mutex_);
  if (policy.ok()) policy_ = *std::move(policy);
  return policy_;
}

absl::Status AccessControl::Check(const grpc::ServerContext& context, RpcMethod method) {
  LIPSERVE_RETURN_IF_ERROR(CheckMetadataSize(context));
  if (settings_.path.empty()) return absl::OkStatus();
  const std::vector<std::string> names = ClientNames(context);
  if (Current()->Allows(names, MethodName(method))) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "the server's access policy does not allow ",
      names.empty() ? "clients without a certificate" : Quoted(absl::StrJoin(names, ", ")),
      " to call ", MethodName(method)));
}

}  // namespace lipserve
