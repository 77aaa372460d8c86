// SPDX-License-Identifier: Apache-2.0
#include "client/verify/verify_command.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/verify/answer_check.h"
#include "client/verify/answer_cost.h"
#include "client/verify/certificate_reader.h"
#include "client/verify/exact/number_text.h"
#include "client/verify/input_file.h"
#include "client/verify/model/model_file.h"
#include "client/verify/whole_file.h"
#include "nlohmann/json.hpp"

namespace lipserve::verify {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kMaxModelFile = std::size_t{1} << 28;
constexpr std::size_t kMaxCertificateFile = std::size_t{1} << 30;
constexpr std::size_t kMaxPrintedFailures = 10;

absl::Status AtPlace(const std::string& place, const absl::Status& status) {
  return {status.code(), absl::StrCat(place, ": ", std::string(status.message()))};
}

void WriteLine(const OrderedJson& json, std::ostream& out) {
  out << json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) << '\n';
}

std::string ModelPath(const std::string& argument) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(argument, ignored)) return argument;
  return std::filesystem::path(argument) / "model.lip";
}

// "dense 784 -> 32", and what it reads if that is not the value before it.
std::string DescribeLayer(const Model& model, std::size_t layer) {
  const std::size_t input = model.inputs[layer];
  return absl::StrCat(Describe(model.layers[layer]),
                      input == layer ? "" : absl::StrCat(", reads value ", input));
}

// Exact numbers that one answer may hold at once. How long each is depends on the layers before it.
constexpr std::uint64_t kMaxNumbers = std::uint64_t{1} << 25U;

// Whether the answers can be checked in reasonable time and memory.
absl::Status CheckCost(const Model& model, const VerifyFlags& flags) {
  const bool has_answers = !flags.certificate.empty() || flags.from_flags.has_value();
  if (!has_answers) return absl::OkStatus();
  if (const std::uint64_t numbers = NumbersOfAnswer(model); numbers > kMaxNumbers) {
    return absl::ResourceExhaustedError(absl::StrCat("one answer of this model holds ", numbers,
                                                     " exact numbers at once, expected at most ",
                                                     kMaxNumbers));
  }
  const std::uint64_t products = ProductsOfAnswer(model);
  if (products <= flags.max_products) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "one answer of this model takes ", products, " products of exact numbers, expected at most ",
      flags.max_products, "; --max-products ", products, " accepts it"));
}

absl::StatusOr<ProvenModel> LoadAndProve(const std::string& path, const VerifyFlags& flags) {
  const absl::StatusOr<std::string> bytes = ReadWholeFile(path, kMaxModelFile);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Model> model = ParseModel(*bytes);
  if (!model.ok()) return AtPlace(path, model.status());
  if (const absl::Status cost = CheckCost(*model, flags); !cost.ok()) return AtPlace(path, cost);
  absl::StatusOr<ProvenModel> proven = ProvenModel::Prove(*std::move(model));
  if (!proven.ok()) return AtPlace(path, proven.status());
  return proven;
}

// Writes results as text for people or as one JSON object per line.
class Reporter {
 public:
  Reporter(bool json, std::ostream& out, std::ostream& errors)
      : json_(json), out_(out), errors_(errors) {}

  void Model(const verify::Model& model) {
    if (json_) return ModelJson(model);
    out_ << Printable(absl::StrCat("model    ", model.name)) << "\ncontent  SHA-256 "
         << model.digest << "\nfile     SHA-256 " << model.file_digest << '\n';
    for (std::size_t k = 0; k < model.layers.size(); ++k) {
      const Dyadic* const norm = ClaimedNorm(model.layers[k]);
      if (norm == nullptr) continue;
      out_ << "layer " << k << "  " << DescribeLayer(model, k)
           << ": operator norm proven to be at most " << DecimalRoundedUp(ToRational(*norm))
           << '\n';
    }
  }

  void ModelFailure(const absl::Status& status) {
    if (!json_) return;  // the program's error says it
    WriteLine({{"checked", "model"}, {"holds", false}, {"reason", std::string(status.message())}},
              out_);
  }

  void Answer(const std::string& place, const absl::Status& status) {
    ++answers_;
    if (status.ok()) ++held_;
    if (json_) {
      OrderedJson json = {{"checked", "answer"}, {"index", answers_ - 1}, {"holds", status.ok()}};
      if (!status.ok()) json["reason"] = std::string(status.message());
      return WriteLine(json, out_);
    }
    if (status.ok()) return;
    const std::size_t failures = answers_ - held_;
    if (failures <= kMaxPrintedFailures) {
      errors_ << Printable(absl::StrCat(place, ": ", std::string(status.message()))) << '\n';
    } else if (failures == kMaxPrintedFailures + 1) {
      errors_ << "... and more; --json lists every answer\n";
    }
  }

  // The verdict on all answers.
  absl::Status Summary() {
    if (json_) {
      WriteLine({{"checked", "all"},
                 {"answers", answers_},
                 {"held", held_},
                 {"holds", answers_ == held_}},
                out_);
    } else {
      out_ << "answers  " << held_ << " of " << answers_ << " hold\n";
    }
    if (answers_ == held_) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(answers_ - held_, " of ", answers_, " answers are not proven"));
  }

 private:
  void ModelJson(const verify::Model& model) {
    OrderedJson layers = OrderedJson::array();
    for (std::size_t k = 0; k < model.layers.size(); ++k) {
      OrderedJson layer = {{"layer", k}, {"description", DescribeLayer(model, k)}};
      if (const Dyadic* const norm = ClaimedNorm(model.layers[k])) {
        layer["operator_norm_bound_hex"] = HexText(*norm);
      }
      layers.push_back(layer);
    }
    WriteLine({{"checked", "model"},
               {"holds", true},
               {"name", model.name},
               {"digest_sha256", model.digest},
               {"file_sha256", model.file_digest},
               {"layers", layers}},
              out_);
  }

  bool json_;
  std::ostream& out_;
  std::ostream& errors_;
  std::size_t answers_ = 0;
  std::size_t held_ = 0;
};

absl::Status CheckCertificateFile(const std::string& path, const ProvenModel& proven,
                                  Reporter& reporter) {
  const absl::StatusOr<std::string> text = ReadWholeFile(path, kMaxCertificateFile);
  if (!text.ok()) return text.status();
  const absl::StatusOr<Certificate> certificate = ParseCertificate(*text);
  if (!certificate.ok()) return AtPlace(path, certificate.status());
  if (certificate->digest != proven.model().digest) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": model digest: expected ", proven.model().digest, ", that of the model file, got ",
        certificate->digest, "; another model gave these answers"));
  }
  for (std::size_t k = 0; k < certificate->answers.size(); ++k) {
    reporter.Answer(absl::StrCat(path, ": answer ", k),
                    CheckRecordedAnswer(proven, certificate->answers[k]));
  }
  return absl::OkStatus();
}

absl::Status CheckAnswerFromFlags(const AnswerFromFlags& from_flags, const ProvenModel& proven,
                                  Reporter& reporter) {
  const absl::StatusOr<mpq_class> radius = ParseNumber(from_flags.radius);
  if (!radius.ok()) return AtPlace("--radius", radius.status());
  absl::StatusOr<InputItem> item = ReadInputItem(from_flags.input, proven.model().input_size());
  if (!item.ok()) return item.status();
  const Answer answer{.element_type = item->element_type,
                      .data = std::move(item->data),
                      .class_index = from_flags.class_index,
                      .radius = *radius,
                      .margin = std::nullopt};
  reporter.Answer(from_flags.input, CheckAnswer(proven, answer));
  return absl::OkStatus();
}

}  // namespace

std::string Printable(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

absl::Status RunVerify(const VerifyFlags& flags, std::ostream& out, std::ostream& errors) {
  Reporter reporter(flags.json, out, errors);
  const absl::StatusOr<ProvenModel> proven = LoadAndProve(ModelPath(flags.model), flags);
  if (!proven.ok()) {
    reporter.ModelFailure(proven.status());
    return proven.status();
  }
  reporter.Model(proven->model());
  if (flags.certificate.empty() && !flags.from_flags) return absl::OkStatus();
  if (!flags.certificate.empty()) {
    if (absl::Status status = CheckCertificateFile(flags.certificate, *proven, reporter);
        !status.ok()) {
      return status;
    }
  }
  if (flags.from_flags) {
    if (absl::Status status = CheckAnswerFromFlags(*flags.from_flags, *proven, reporter);
        !status.ok()) {
      return status;
    }
  }
  return reporter.Summary();
}

}  // namespace lipserve::verify
