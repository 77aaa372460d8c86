// SPDX-License-Identifier: Apache-2.0
// Model files for the checker's tests, written by the model library that it must not use.
#ifndef TESTS_VERIFY_FROZEN_MODEL_BYTES_H_
#define TESTS_VERIFY_FROZEN_MODEL_BYTES_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/verify/answer_check.h"
#include "client/verify/model/layer_reader.h"
#include "client/verify/model/model_file.h"
#include "client/verify/whole_file.h"
#include "lipserve/v1/model_file.pb.h"
#include "lipserve/v1/sealed_file.pb.h"
#include "model/network/layer_proto.h"
#include "model/network/model_file.h"
#include "model/network/sealed_file.h"
#include "tests/model/network_fixtures.h"
#include "tests/temporary_folder.h"

namespace lipserve::verify {

// The bytes of the model's file; sets its digest.
inline std::string BytesOf(FrozenModel& model) {
  const TemporaryFolder folder;
  const std::string path = folder.path("model.lip");
  const absl::Status status = WriteModelFile(path, model);
  EXPECT_TRUE(status.ok()) << status;
  return ReadWholeFile(path, std::size_t{1} << 28).value();
}

// `content` in a sealed file with the right checksum.
inline std::string Sealed(const std::string& content, std::uint32_t format_version = 1) {
  v1::SealedFile file;
  file.set_kind("lipserve.model");
  file.set_format_version(format_version);
  file.set_content_sha256(Sha256(content));
  file.set_content(content);
  return file.SerializeAsString();
}

// The content of the bytes of a model file.
inline v1::ModelContent ContentOf(const std::string& bytes) {
  v1::SealedFile file;
  v1::ModelContent content;
  EXPECT_TRUE(file.ParseFromString(bytes) && content.ParseFromString(file.content()));
  return content;
}

// The model as the checker reads and proves it.
inline ProvenModel Proven(FrozenModel& model) {
  absl::StatusOr<Model> read = ParseModel(BytesOf(model));
  EXPECT_TRUE(read.ok()) << read.status();
  absl::StatusOr<ProvenModel> proven = ProvenModel::Prove(*std::move(read));
  EXPECT_TRUE(proven.ok()) << proven.status();
  return *std::move(proven);
}

// The layer as the checker reads it. Requires: a convolution that the format allows.
inline Convolution CheckedConvolution(const ConvolutionLayer& layer) {
  const Shape input = {layer.input.channels, layer.input.height, layer.input.width};
  absl::StatusOr<Layer> read =
      ReadLayer(LayerToProto(FrozenLayer(layer)).SerializeAsString(), input);
  EXPECT_TRUE(read.ok()) << read.status();
  return std::get<Convolution>(*std::move(read));
}

// The bytes of `values` as the API sends them.
inline std::string BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace lipserve::verify

#endif  // TESTS_VERIFY_FROZEN_MODEL_BYTES_H_
