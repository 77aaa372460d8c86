// SPDX-License-Identifier: Apache-2.0
#include "client/classify_command.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/answer_gallery.h"
#include "client/answer_json.h"
#include "client/answer_report.h"
#include "client/answer_table.h"
#include "client/certificate_file.h"

namespace lipserve {
namespace {

absl::StatusOr<ImageShape> ShapeOf(const v1::DescribeModelResponse& model) {
  const auto& shape = model.input_shape();
  constexpr std::int64_t kMaxElements = std::int64_t{1} << 24;
  bool is_valid = shape.size() == 3;
  std::int64_t elements = 1;
  for (const std::int64_t axis : shape) {
    is_valid = is_valid && axis >= 1 && axis <= kMaxElements / elements;
    if (is_valid) elements *= axis;
  }
  if (!is_valid) {
    return absl::InternalError(absl::StrCat(
        "model ", model.model().name(), ": input shape: expected [C, H, W] of at most ",
        kMaxElements, " elements, got [", absl::StrJoin(shape, ", "), "]"));
  }
  return ImageShape{shape[0], shape[1], shape[2]};
}

// --as-float divides by 255; a model that was trained on another scale would see other images.
absl::Status CheckFloatScale(const v1::DescribeModelResponse& model) {
  const double divisor = model.training().recipe().dataset().pixel_divisor();
  if (divisor == 0.0 || divisor == 255.0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("--as-float: expected a model of pixels / 255, got ", model.model().name(),
                   " of pixels / ", divisor, "; send the pixels instead"));
}

void Print(const AnswerReport& report, const ImageSet& images, OutputForm form,
           const TerminalStyle& style, std::ostream& out) {
  switch (form) {
    case OutputForm::kTable:
      out << AnswerTable(report, style);
      return;
    case OutputForm::kDrawing:
      out << AnswerGallery(report, images, style);
      return;
    case OutputForm::kJson:
      for (std::size_t i = 0; i < report.images.size(); ++i) out << AnswerJson(report, i) << '\n';
      return;
  }
}

}  // namespace

absl::Status RunClassify(const ClassifierClient& client, const ClassifyFlags& flags,
                         const TerminalStyle& style, std::istream& in, std::ostream& out) {
  const auto model = client.DescribeModel(flags.ask.model);
  if (!model.ok()) return model.status();
  const auto shape = ShapeOf(*model);
  if (!shape.ok()) return shape.status();
  if (flags.input.as_float) {
    if (auto status = CheckFloatScale(*model); !status.ok()) return status;
  }
  const auto images = LoadImages(flags.input, *shape, in);
  if (!images.ok()) return images.status();
  ClassifyOptions ask = flags.ask;
  // The version that was described is the one to ask, also if a newer one arrives meanwhile.
  ask.model = {model->model().name(), model->model().version()};
  const auto answers =
      client.ClassifyInPieces(images->ToBatch(), ask, model->max_images_per_call());
  if (!answers.ok()) return answers.status();
  if (!flags.certificate_path.empty()) {
    absl::Status status = WriteCertificateFile(flags.certificate_path, *images, *answers);
    if (!status.ok()) return status;
  }
  Print(MakeReport(*model, *images, *answers, flags.ask.epsilon), *images, flags.form, style, out);
  return absl::OkStatus();
}

}  // namespace lipserve
