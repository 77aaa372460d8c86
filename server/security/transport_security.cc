// SPDX-License-Identifier: Apache-2.0
#include "server/security/transport_security.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve {
namespace {

template <auto Free>
struct FreeWith {
  template <typename Object>
  void operator()(Object* object) const {
    Free(object);
  }
};
using File = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

absl::StatusOr<File> Open(const char* flag, const std::string& path) {
  File file(BIO_new_file(path.c_str(), "r"));
  if (file != nullptr) return file;
  ERR_clear_error();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": expected a readable PEM file, got ", path));
}

absl::StatusOr<Certificate> ReadCertificate(const char* flag, const std::string& path) {
  LIPSERVE_ASSIGN_OR_RETURN(const File file, Open(flag, path));
  Certificate certificate(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
  if (certificate != nullptr) return certificate;
  ERR_clear_error();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": expected a PEM file that starts with a certificate, got ", path));
}

// For an encrypted key, OpenSSL would otherwise ask for a password on the terminal.
int NoPassword(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

absl::StatusOr<PrivateKey> ReadPrivateKey(const char* flag, const std::string& path) {
  LIPSERVE_ASSIGN_OR_RETURN(const File file, Open(flag, path));
  PrivateKey key(PEM_read_bio_PrivateKey(file.get(), nullptr, NoPassword, nullptr));
  if (key != nullptr) return key;
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(
      flag, ": expected a PEM file with a private key without a password, got ", path));
}

}  // namespace

bool IsLoopback(const std::string& host) {
  return host.rfind("unix:", 0) == 0 || host == "localhost" || host == "[::1]" ||
         host.rfind("127.", 0) == 0;
}

absl::Status CheckSecurityFiles(const SecurityFiles& files) {
  if (files.certificate.empty() != files.private_key.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-cert and --tls-key: expected both or neither, got ",
                     files.certificate.empty() ? "only --tls-key " : "only --tls-cert ",
                     files.certificate, files.private_key));
  }
  if (!files.client_authorities.empty() && files.certificate.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-client-ca: expected --tls-cert and --tls-key with it, got --tls-client-ca ",
        files.client_authorities));
  }
  if (files.refresh.count() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-refresh-s: expected at least 1, got ", files.refresh.count()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const SecurityFiles& files) {
  LIPSERVE_RETURN_IF_ERROR(CheckSecurityFiles(files));
  if (files.certificate.empty()) return grpc::InsecureServerCredentials();
  LIPSERVE_ASSIGN_OR_RETURN(const Certificate certificate,
                            ReadCertificate("--tls-cert", files.certificate));
  LIPSERVE_ASSIGN_OR_RETURN(const PrivateKey key, ReadPrivateKey("--tls-key", files.private_key));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-key: expected the key of the certificate ", files.certificate,
                     ", got another in ", files.private_key));
  }
  const bool checks_clients = !files.client_authorities.empty();
  if (checks_clients) {
    LIPSERVE_RETURN_IF_ERROR(ReadCertificate("--tls-client-ca", files.client_authorities).status());
  }
  const auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      files.private_key, files.certificate, files.client_authorities,
      static_cast<unsigned int>(files.refresh.count()));
  grpc::experimental::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  if (checks_clients) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

std::string SecurityWarning(const SecurityFiles& files, const std::string& host,
                            bool loads_by_request) {
  if (IsLoopback(host)) return "";
  const bool is_open = files.client_authorities.empty() && files.access_policy.empty();
  if (loads_by_request && is_open) {
    return absl::StrCat("warning: everybody who can reach ", host,
                        " may load and unload models; see --tls-client-ca and --access-policy");
  }
  if (files.certificate.empty()) {
    return absl::StrCat("warning: gRPC listens on ", host,
                        " without TLS; see --tls-cert, or let only trusted machines reach it");
  }
  return "";
}

}  // namespace lipserve
