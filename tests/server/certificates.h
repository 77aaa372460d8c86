// SPDX-License-Identifier: Apache-2.0
// Certificates for tests, made when they are needed.
#ifndef TESTS_SERVER_CERTIFICATES_H_
#define TESTS_SERVER_CERTIFICATES_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>
#include <string>

namespace lipserve {

// A private key and a certificate for it.
class Identity {
 public:
  // Signed by `authority`, for 127.0.0.1 and localhost; without one an authority, signed by itself.
  explicit Identity(const std::string& name, const Identity* authority = nullptr)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    X509* const x509 = certificate_.get();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++NextSerial());
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key_.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    const Identity& issuer = authority != nullptr ? *authority : *this;
    X509_set_issuer_name(x509, X509_get_subject_name(issuer.certificate_.get()));
    if (authority == nullptr) {
      Extend(NID_basic_constraints, "critical,CA:TRUE");
    } else {
      Extend(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,DNS:" + name);
    }
    if (X509_sign(x509, issuer.key_.get(), EVP_sha256()) == 0) std::abort();
  }

  std::string CertificatePem() const {
    return Pem([this](BIO* bio) { return PEM_write_bio_X509(bio, certificate_.get()); });
  }
  std::string PrivateKeyPem() const {
    return Pem([this](BIO* bio) {
      return PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

 private:
  static int& NextSerial() {
    static int serial = 0;
    return serial;
  }

  void Extend(int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate_.get(), certificate_.get(), nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), X509_EXTENSION_free);
    if (extension == nullptr || X509_add_ext(certificate_.get(), extension.get(), -1) == 0) {
      std::abort();
    }
  }

  template <typename Write>
  static std::string Pem(const Write& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    if (write(bio.get()) == 0) std::abort();
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

}  // namespace lipserve

#endif  // TESTS_SERVER_CERTIFICATES_H_
