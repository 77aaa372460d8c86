// SPDX-License-Identifier: Apache-2.0
// A serialised ModelInferRequest of the Open Inference Protocol, as a client may send it: the
// version that it names, its tensors and parameters, and where those are right, the answer.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "inference/grpc_service.pb.h"
#include "server/protocols/inference_codec.h"
#include "server/repository/model_catalog.h"
#include "tests/server/small_model.h"

namespace {

constexpr std::size_t kMaxImages = 8;

void Answer(const lipserve::ServedModel& model, const inference::ModelInferRequest& request,
            const lipserve::DecodedImages& images) {
  std::vector<lipserve::Answer> answers(images.num_images);
  model.ClassifyByFloatingPoint({images.inputs.data(), images.num_images, model.input_size()},
                                answers, images.precision);
  inference::ModelInferResponse response;
  lipserve::EncodeInferResponse(request, images, model, answers, response);
  if (response.outputs_size() != response.raw_output_contents_size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const lipserve::SmallServedModel served;
  static const lipserve::ModelCatalog catalog({served.model}, {});
  static const auto was = google::protobuf::SetLogHandler(nullptr);  // a line per broken UTF-8
  (void)was;
  static lipserve::DecodedImages images;  // kept from call to call, as the server keeps it
  inference::ModelInferRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  (void)lipserve::FindInferenceModel(catalog, request.model_name(), request.model_version(),
                                     "model_version")
      .ok();
  if (lipserve::DecodeInferRequest(request, *served.model, kMaxImages, images).ok()) {
    Answer(*served.model, request, images);
  }
  return 0;
}
