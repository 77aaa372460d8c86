// SPDX-License-Identifier: Apache-2.0
// What the independent reader says of a model file that is not as it should be.
#ifndef TESTS_VERIFY_MODEL_FILE_ERROR_H_
#define TESTS_VERIFY_MODEL_FILE_ERROR_H_

#include <cstdint>
#include <functional>
#include <string>

#include "client/verify/model/model_file.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {

inline std::string ModelFileError(const std::string& bytes) {
  const auto model = ParseModel(bytes);
  return model.ok() ? "" : std::string(model.status().message());
}

// The error after `change`, in a file whose checksum fits.
inline std::string ErrorAfter(const std::function<void(v1::ModelContent&)>& change,
                              FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 4, 3}))) {
  v1::ModelContent content = ContentOf(BytesOf(frozen));
  change(content);
  const std::uint32_t version = content.layer_inputs_size() > 0 ? 2 : 1;
  return ModelFileError(Sealed(content.SerializeAsString(), version));
}

}  // namespace lipserve::verify

#endif  // TESTS_VERIFY_MODEL_FILE_ERROR_H_
