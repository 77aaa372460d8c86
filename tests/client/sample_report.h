// SPDX-License-Identifier: Apache-2.0
// A model's description and answers for the tests of what is printed.
#ifndef TESTS_CLIENT_SAMPLE_REPORT_H_
#define TESTS_CLIENT_SAMPLE_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/answer_report.h"
#include "client/image_input.h"
#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

// A binary model of digits 0 and 8 over 1x4x4 pixels.
inline v1::DescribeModelResponse SampleModel() {
  v1::DescribeModelResponse model;
  model.mutable_model()->set_name("mnist08");
  model.mutable_model()->set_version(3);
  model.mutable_model()->set_digest_sha256(std::string(32, '\xab'));
  for (const std::int64_t axis : {1, 4, 4}) model.add_input_shape(axis);
  model.add_class_labels("zero");
  model.add_class_labels("eight");
  model.set_max_images_per_call(2);
  auto& recipe = *model.mutable_training()->mutable_recipe();
  recipe.mutable_dataset()->add_classes(0);
  recipe.mutable_dataset()->add_classes(8);
  return model;
}

// `labels.size()` images with one bright pixel each.
inline ImageSet SampleImages(const std::vector<std::optional<std::int64_t>>& labels) {
  ImageSet images{v1::ELEMENT_TYPE_UINT8, {1, 4, 4}, {}, {}};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::string image(16, '\0');
    image[5] = static_cast<char>(200);
    images.data += image;
    images.origins.push_back({"some/digits.gz", static_cast<std::int64_t>(i) + 10, labels[i]});
  }
  return images;
}

// One answer of the sample model.
struct SampleAnswer {
  int class_index = 0;
  double radius = 0.0;
  bool certified = false;
};

inline v1::ClassifyResponse SampleResponse(const std::vector<SampleAnswer>& answers) {
  v1::ClassifyResponse response;
  *response.mutable_model() = SampleModel().model();
  response.set_radius_unit(v1::RADIUS_UNIT_PIXEL);
  response.set_radius_precision(v1::RADIUS_PRECISION_TIGHT);
  for (const SampleAnswer& sample : answers) {
    v1::Classification& answer = *response.add_classifications();
    answer.set_class_index(sample.class_index);
    answer.set_label(sample.class_index == 0 ? "zero" : "eight");
    answer.add_scores(sample.class_index == 0 ? 1.25F : -1.25F);
    answer.set_margin(1.2499999);
    answer.set_certified_radius_l2(sample.radius);
    answer.set_certified_pixel_radius_squared(
        static_cast<std::uint64_t>(sample.radius * sample.radius));
    answer.set_decided_by(v1::DECISION_STAGE_FLOAT32);
    answer.set_certified_at_epsilon(sample.certified);
  }
  return response;
}

// Three images: a right and certified one, a wrong one, and one of a class the model has not.
inline AnswerReport SampleReport(std::optional<double> epsilon = 250.0) {
  return MakeReport(SampleModel(), SampleImages({0, 0, 7}),
                    SampleResponse({{0, 312.4799, true}, {1, 0.0, false}, {0, 250.0, true}}),
                    epsilon);
}

}  // namespace lipserve

#endif  // TESTS_CLIENT_SAMPLE_REPORT_H_
