// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/inference_codec.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/foundation/status_macros.h"
#include "server/operations/request_error.h"
#include "server/protocols/inference_parameters.h"
#include "server/protocols/inference_tensors.h"
#include "server/protocols/request_checks.h"

namespace lipserve {
namespace {

using inference::InferTensorContents;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

constexpr char kInputField[] = "inputs[0]";

absl::StatusOr<ElementType> DecodeDatatype(const std::string& datatype) {
  if (datatype == "FP32") return ElementType::kFp32;
  if (datatype == "UINT8") return ElementType::kUint8;
  return InvalidField(
      absl::StrCat(kInputField, ".datatype"),
      absl::StrCat(
          "expected 'FP32' (in the scale that the model was trained on) or 'UINT8' (pixels "
          "0..255), got ",
          Quoted(datatype)));
}

// Checks that there is exactly the one input, and that its elements are in one place.
absl::Status CheckInputs(const ModelInferRequest& request) {
  if (request.inputs().empty()) {
    return InvalidField("inputs", "expected the tensor 'images', got none");
  }
  const ModelInferRequest::InferInputTensor& input = request.inputs(0);
  if (input.name() != kImagesTensor) {
    return InvalidField(absl::StrCat(kInputField, ".name"),
                        absl::StrCat("expected 'images', got ", Quoted(input.name())));
  }
  if (request.inputs_size() > 1) {
    return InvalidField("inputs", absl::StrCat("expected only the tensor 'images', got ",
                                               request.inputs_size(), " tensors"));
  }
  LIPSERVE_RETURN_IF_ERROR(CheckInputParameters(kInputField, input.parameters()));
  if (request.raw_input_contents().empty()) return absl::OkStatus();
  if (request.raw_input_contents_size() > 1) {
    return InvalidField("raw_input_contents",
                        absl::StrCat("expected one entry for the one input, got ",
                                     request.raw_input_contents_size()));
  }
  if (input.contents().ByteSizeLong() > 0) {
    return InvalidField(absl::StrCat(kInputField, ".contents"),
                        "expected none, because raw_input_contents has the elements");
  }
  return absl::OkStatus();
}

// A field of `contents` that is filled although the datatype does not use it, or "".
std::string UnexpectedContents(const InferTensorContents& contents, absl::string_view used) {
  const std::pair<const char*, int> sizes[] = {{"bool_contents", contents.bool_contents_size()},
                                               {"int_contents", contents.int_contents_size()},
                                               {"int64_contents", contents.int64_contents_size()},
                                               {"uint_contents", contents.uint_contents_size()},
                                               {"uint64_contents", contents.uint64_contents_size()},
                                               {"fp32_contents", contents.fp32_contents_size()},
                                               {"fp64_contents", contents.fp64_contents_size()},
                                               {"bytes_contents", contents.bytes_contents_size()}};
  for (const auto& [name, size] : sizes) {
    if (size > 0 && name != used) return name;
  }
  return "";
}

// Converts uint_contents, one word per pixel, to one byte per pixel.
absl::StatusOr<std::string> NarrowPixels(const InferTensorContents& contents) {
  std::string pixels(static_cast<std::size_t>(contents.uint_contents_size()), '\0');
  for (int i = 0; i < contents.uint_contents_size(); ++i) {
    const std::uint32_t pixel = contents.uint_contents(i);
    if (pixel > 255) {
      return InvalidField(absl::StrCat(kInputField, ".contents.uint_contents"),
                          absl::StrCat("expected pixels 0..255, got ", pixel, " at element ", i));
    }
    pixels[static_cast<std::size_t>(i)] = static_cast<char>(pixel);
  }
  return pixels;
}

// Decodes images whose elements are in `contents`, which has one field for each type.
absl::Status DecodeTypedImages(const InferTensorContents& contents, EncodedImages encoded,
                               const ServedModel& model, std::size_t max_images,
                               DecodedImages& images) {
  const bool is_uint8 = encoded.element_type == ElementType::kUint8;
  const char* const used = is_uint8 ? "uint_contents" : "fp32_contents";
  const std::string unexpected = UnexpectedContents(contents, used);
  if (!unexpected.empty()) {
    return InvalidField(absl::StrCat(kInputField, ".contents"),
                        absl::StrCat("expected the elements of ", encoded.type_name, " in ", used,
                                     ", got ", unexpected));
  }
  const int count = is_uint8 ? contents.uint_contents_size() : contents.fp32_contents_size();
  if (count == 0) {
    return InvalidField(
        kInputField, absl::StrCat("expected elements in raw_input_contents[0] or contents.", used,
                                  ", got none"));
  }
  const std::string data_field = absl::StrCat(kInputField, ".contents.", used);
  encoded.data_field = data_field;
  if (!is_uint8) {
    encoded.data = {reinterpret_cast<const char*>(contents.fp32_contents().data()),
                    static_cast<std::size_t>(count) * sizeof(float)};
    return DecodeImages(encoded, model, max_images, images);
  }
  LIPSERVE_ASSIGN_OR_RETURN(const std::string pixels, NarrowPixels(contents));
  encoded.data = pixels;
  return DecodeImages(encoded, model, max_images, images);
}

absl::Status DecodeInput(const ModelInferRequest& request, const ServedModel& model,
                         std::size_t max_images, DecodedImages& images) {
  LIPSERVE_RETURN_IF_ERROR(CheckInputs(request));
  const ModelInferRequest::InferInputTensor& input = request.inputs(0);
  LIPSERVE_ASSIGN_OR_RETURN(const ElementType type, DecodeDatatype(input.datatype()));
  EncodedImages encoded{
      .element_type = type,
      .type_name = input.datatype(),
      .shape = {input.shape().data(), static_cast<std::size_t>(input.shape_size())},
      .data = {},
      .shape_field = "inputs[0].shape",
      .data_field = "raw_input_contents[0]"};
  if (request.raw_input_contents().empty()) {
    return DecodeTypedImages(input.contents(), encoded, model, max_images, images);
  }
  encoded.data = request.raw_input_contents(0);
  return DecodeImages(encoded, model, max_images, images);
}

absl::Status CheckOutputs(const ModelInferRequest& request) {
  for (int i = 0; i < request.outputs_size(); ++i) {
    const ModelInferRequest::InferRequestedOutputTensor& output = request.outputs(i);
    const std::string field = absl::StrCat("outputs[", i, "]");
    const OutputTensorType* const type = FindOutputTensor(output.name());
    if (type == nullptr) {
      return InvalidField(absl::StrCat(field, ".name"),
                          absl::StrCat("expected scores, class, radius, margin or certified, got ",
                                       Quoted(output.name())));
    }
    for (int j = 0; j < i; ++j) {
      if (request.outputs(j).name() != output.name()) continue;
      return InvalidField(
          absl::StrCat(field, ".name"),
          absl::StrCat("expected each output once, got '", output.name(), "' again"));
    }
    LIPSERVE_ASSIGN_OR_RETURN(const std::size_t classes,
                              DecodeClassification(field, output.parameters()));
    if (classes > 0 && type->tensor != OutputTensor::kScores) {
      return InvalidField(
          absl::StrCat(field, ".parameters['classification']"),
          absl::StrCat("expected it for 'scores' only, got it for '", output.name(), "'"));
    }
  }
  return absl::OkStatus();
}

template <typename Value>
void AppendRaw(Value value, std::string& raw) {
  raw.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// One score per class. A binary model has a single score, whose sign decides.
std::vector<float> ScoresByClass(const Answer& answer) {
  if (answer.scores.size() == 1) return {answer.scores[0], -answer.scores[0]};
  return {answer.scores.begin(), answer.scores.end()};
}

// Appends the `count` best classes of an answer, "score:class:label", best first.
void AppendClassification(const Answer& answer, const ServedModel& model, std::size_t count,
                          std::string& raw) {
  const std::vector<float> scores = ScoresByClass(answer);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto better = [&](std::size_t a, std::size_t b) {
    // The class was decided by more exact numbers than these scores, so it comes first.
    if ((a == answer.class_index) != (b == answer.class_index)) return a == answer.class_index;
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    better);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = order[i];
    const std::string text = absl::StrCat(absl::StrFormat("%.9g", scores[index]), ":", index, ":",
                                          model.frozen().class_labels[index]);
    AppendRaw(static_cast<std::uint32_t>(text.size()), raw);
    raw += text;
  }
}

void AppendValues(OutputTensor tensor, const Answer& answer, const ProvenAnswer& proven,
                  std::string& raw) {
  switch (tensor) {
    case OutputTensor::kScores:
      for (const float score : answer.scores) AppendRaw(score, raw);
      return;
    case OutputTensor::kClass:
      return AppendRaw(static_cast<std::int32_t>(answer.class_index), raw);
    case OutputTensor::kRadius:
      return AppendRaw(proven.radius_l2, raw);
    case OutputTensor::kMargin:
      return AppendRaw(proven.margin, raw);
    case OutputTensor::kCertified:
      return AppendRaw(static_cast<char>(proven.certified ? 1 : 0), raw);
  }
}

// Adds one output. If `classes` is above 0, it is the classification of that many classes.
void EncodeOutput(const OutputTensorType& type, std::size_t classes, const DecodedImages& images,
                  const ServedModel& model, std::span<const Answer> answers,
                  ModelInferResponse& response) {
  const std::size_t most_classes = model.frozen().class_labels.size();
  const std::size_t shown = std::min(classes, most_classes);
  const std::size_t width =
      shown > 0 ? shown : OutputWidth(type.tensor, answers.front().scores.size());
  ModelInferResponse::InferOutputTensor& output = *response.add_outputs();
  output.set_name(type.name);
  output.set_datatype(shown > 0 ? "BYTES" : type.datatype);
  output.add_shape(static_cast<std::int64_t>(answers.size()));
  output.add_shape(static_cast<std::int64_t>(width));
  std::string& raw = *response.add_raw_output_contents();
  for (const Answer& answer : answers) {
    if (shown > 0) {
      AppendClassification(answer, model, shown, raw);
    } else {
      AppendValues(type.tensor, answer, ToRequestUnit(images, model, answer), raw);
    }
  }
}

void EncodeParameters(const ModelInferRequest& request, const DecodedImages& images,
                      const ServedModel& model, InferParameters& parameters) {
  parameters["radius_norm"].set_string_param("L2");
  parameters["radius_unit"].set_string_param(images.element_type == ElementType::kUint8 ? "PIXEL"
                                                                                        : "INPUT");
  parameters["radius_precision"].set_string_param(
      images.precision == RadiusPrecision::kFast ? "FAST" : "TIGHT");
  parameters["epsilon"].set_double_param(images.epsilon.value_or(0.0));
  const std::string& digest = model.frozen().digest;
  parameters["model_digest_sha256"].set_string_param(absl::BytesToHexString(digest));
  if (WantsFinalResponseMark(request.parameters())) {
    parameters["triton_final_response"].set_bool_param(true);
  } else {
    parameters.erase("triton_final_response");
  }
}

}  // namespace

absl::StatusOr<ModelCatalog::ModelPtr> FindInferenceModel(const ModelCatalog& catalog,
                                                          const std::string& name,
                                                          const std::string& version,
                                                          absl::string_view version_field) {
  if (version.empty()) return catalog.Find(name, 0);
  // A label starts with a letter, a version with a digit.
  if (absl::ascii_isalpha(static_cast<unsigned char>(version[0]))) {
    return catalog.Find(name, 0, version);
  }
  std::int64_t number = 0;
  const bool is_number = std::all_of(version.begin(), version.end(), [](unsigned char letter) {
    return absl::ascii_isdigit(letter);
  });
  if (!is_number || !absl::SimpleAtoi(version, &number) || number < 1) {
    return InvalidField(version_field,
                        absl::StrCat("expected a positive number, a label, or nothing for the "
                                     "model's default, got ",
                                     Quoted(version)));
  }
  return catalog.Find(name, number);
}

absl::Status DecodeInferRequest(const ModelInferRequest& request, const ServedModel& model,
                                std::size_t max_images, DecodedImages& images) {
  LIPSERVE_RETURN_IF_ERROR(CheckRequestId("id", request.id()));
  LIPSERVE_RETURN_IF_ERROR(DecodeInferParameters(request.parameters(), model, images));
  LIPSERVE_RETURN_IF_ERROR(CheckOutputs(request));
  return DecodeInput(request, model, max_images, images);
}

void EncodeInferResponse(const ModelInferRequest& request, const DecodedImages& images,
                         const ServedModel& model, std::span<const Answer> answers,
                         ModelInferResponse& response) {
  assert(answers.size() == images.num_images);
  const ScopedStrictFloatingPoint strict;  // radii are converted and compared here
  response.set_model_name(model.name());
  response.set_model_version(absl::StrCat(model.version()));
  response.set_id(request.id());
  // Clearing messages and strings keeps their memory.
  response.clear_outputs();
  response.clear_raw_output_contents();
  EncodeParameters(request, images, model, *response.mutable_parameters());
  for (const ModelInferRequest::InferRequestedOutputTensor& output : request.outputs()) {
    const absl::StatusOr<std::size_t> classes = DecodeClassification("", output.parameters());
    EncodeOutput(*FindOutputTensor(output.name()), classes.value_or(0), images, model, answers,
                 response);
  }
  if (!request.outputs().empty()) return;
  for (const OutputTensorType& type : kOutputTensors) {
    EncodeOutput(type, 0, images, model, answers, response);
  }
}

}  // namespace lipserve
