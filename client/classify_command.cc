// SPDX-License-Identifier: Apache-2.0
#include "client/classify_command.h"

#include <string>

#include "client/answer_gallery.h"
#include "client/answer_json.h"
#include "client/answer_report.h"
#include "client/answer_table.h"
#include "client/certificate_file.h"
#include "client/described_model.h"

namespace lipserve {
namespace {

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
  const auto model = client.DescribeModel(flags.query.model);
  if (!model.ok()) return model.status();
  const auto shape = InputShapeOf(*model);
  if (!shape.ok()) return shape.status();
  if (flags.input.as_float) {
    if (auto status = CheckPixelDivisorIs255(*model); !status.ok()) return status;
  }
  const auto images = LoadImages(flags.input, *shape, in);
  if (!images.ok()) return images.status();
  ClassifyOptions query = flags.query;
  // Use the version that was described, even if a newer one has been loaded since.
  query.model = {model->model().name(), model->model().version()};
  const auto answers =
      client.ClassifyInPieces(images->ToBatch(), query, model->max_images_per_call());
  if (!answers.ok()) return answers.status();
  if (!flags.certificate_path.empty()) {
    absl::Status status = WriteCertificateFile(flags.certificate_path, *images, *answers);
    if (!status.ok()) return status;
  }
  Print(MakeReport(*model, *images, *answers, flags.query.epsilon), *images, flags.form, style,
        out);
  return absl::OkStatus();
}

}  // namespace lipserve
