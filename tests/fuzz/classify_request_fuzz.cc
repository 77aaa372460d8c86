// SPDX-License-Identifier: Apache-2.0
// A serialised lipserve.v1.ClassifyRequest, as a client may send it: decoded, and where that goes
// well, answered.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "lipserve/v1/classifier.pb.h"
#include "server/protocols/classifier_codec.h"
#include "tests/server/small_model.h"

namespace {

constexpr std::size_t kMaxImages = 8;

void Answer(const lipserve::ServedModel& model, const lipserve::v1::ClassifyRequest& request,
            const lipserve::DecodedImages& images) {
  std::vector<lipserve::Answer> answers(images.num_images);
  model.ClassifyByFloatingPoint({images.inputs.data(), images.num_images, model.input_size()},
                                answers, images.precision);
  lipserve::v1::ClassifyResponse response;
  lipserve::EncodeClassifyResponse(request, images, model, answers, response);
  for (const auto& answer : response.classifications()) {
    const double radius = answer.certified_radius_l2();
    if (!(radius >= 0.0 && std::isfinite(radius))) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const lipserve::SmallServedModel served;
  static const auto was = google::protobuf::SetLogHandler(nullptr);  // a line per broken UTF-8
  (void)was;
  static lipserve::DecodedImages images;  // kept from call to call, as the server keeps it
  lipserve::v1::ClassifyRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  if (lipserve::DecodeClassifyRequest(request, *served.model, kMaxImages, images).ok()) {
    Answer(*served.model, request, images);
  }
  return 0;
}
