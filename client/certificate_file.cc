// SPDX-License-Identifier: Apache-2.0
#include "client/certificate_file.h"

#include <openssl/sha.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/directed_decimal.h"
#include "nlohmann/json.hpp"

namespace lipserve {
namespace {

using Json = nlohmann::ordered_json;

std::string Sha256Hex(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return absl::BytesToHexString(digest);
}

Json AnswerRecord(const ImageSet& images, const std::string& data, const v1::Classification& answer,
                  v1::RadiusUnit unit) {
  Json record;
  record["element_type"] = images.element_type == v1::ELEMENT_TYPE_UINT8 ? "UINT8" : "FP32";
  record["shape"] = {images.shape.channels, images.shape.height, images.shape.width};
  record["data_base64"] = absl::Base64Escape(data);
  record["data_sha256"] = Sha256Hex(data);
  record["class_index"] = answer.class_index();
  record["label"] = answer.label();
  record["certified_radius_l2_hex"] = HexFloat(answer.certified_radius_l2());
  record["radius_unit"] = unit == v1::RADIUS_UNIT_PIXEL ? "PIXEL" : "INPUT";
  if (answer.has_certified_pixel_radius_squared()) {
    record["certified_pixel_radius_squared"] = answer.certified_pixel_radius_squared();
  } else {
    record["certified_pixel_radius_squared"] = nullptr;
  }
  record["margin_hex"] = HexFloat(answer.margin());
  return record;
}

}  // namespace

std::string CertificateJson(const ImageSet& images, const v1::ClassifyResponse& response) {
  const std::size_t count = images.origins.size();
  assert(count > 0 && count == static_cast<std::size_t>(response.classifications_size()));
  Json json;
  json["format"] = "lipserve.certificate";
  json["version"] = 2;
  json["model"] = {{"name", response.model().name()},
                   {"version", response.model().version()},
                   {"digest_sha256", absl::BytesToHexString(response.model().digest_sha256())}};
  json["radius_precision"] =
      response.radius_precision() == v1::RADIUS_PRECISION_FAST ? "FAST" : "TIGHT";
  json["answers"] = Json::array();
  const std::size_t bytes = images.data.size() / count;
  for (std::size_t i = 0; i < count; ++i) {
    json["answers"].push_back(AnswerRecord(images, images.data.substr(i * bytes, bytes),
                                           response.classifications(static_cast<int>(i)),
                                           response.radius_unit()));
  }
  // A label that is not UTF-8 must not throw.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::Status WriteCertificateFile(const std::string& path, const ImageSet& images,
                                  const v1::ClassifyResponse& response) {
  const std::string temporary = absl::StrCat(path, ".tmp.", getpid());
  std::ofstream stream(temporary, std::ios::binary);
  stream << CertificateJson(images, response);
  stream.close();
  if (!stream || std::rename(temporary.c_str(), path.c_str()) != 0) {
    absl::Status status = absl::InternalError(
        absl::StrCat("--certificate: cannot write ", path, ": ", std::strerror(errno)));
    std::remove(temporary.c_str());
    return status;
  }
  return absl::OkStatus();
}

}  // namespace lipserve
