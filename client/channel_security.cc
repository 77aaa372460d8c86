// SPDX-License-Identifier: Apache-2.0
#include "client/channel_security.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/text/text_file.h"

namespace lipserve {
namespace {

absl::Status ReadInto(const char* flag, const std::string& path, std::string& text) {
  if (path.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> read = ReadTextFile(path);
  if (!read.ok()) {
    return absl::NotFoundError(absl::StrCat(flag, ": expected a readable PEM file, got ",
                                            std::string(read.status().message())));
  }
  if (read->empty()) {
    return absl::NotFoundError(
        absl::StrCat(flag, ": expected a readable PEM file, got ", path, ": it is empty"));
  }
  text = *std::move(read);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const ClientSecurityFiles& files) {
  if (files.certificate.empty() != files.private_key.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-cert and --tls-key: expected both or neither, got only ",
                     files.certificate.empty() ? "--tls-key " : "--tls-cert ", files.certificate,
                     files.private_key));
  }
  if (files.server_authorities.empty()) {
    if (files.certificate.empty()) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-cert: expected --tls-ca with it, the authorities of the server, got --tls-cert ",
        files.certificate));
  }
  grpc::SslCredentialsOptions options;
  for (const absl::Status& read :
       {ReadInto("--tls-ca", files.server_authorities, options.pem_root_certs),
        ReadInto("--tls-cert", files.certificate, options.pem_cert_chain),
        ReadInto("--tls-key", files.private_key, options.pem_private_key)}) {
    if (!read.ok()) return read;
  }
  return grpc::SslCredentials(options);
}

}  // namespace lipserve
