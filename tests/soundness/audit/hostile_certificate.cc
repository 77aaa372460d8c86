// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/certificate_file.h"
#include "client/verify/certificate_reader.h"
#include "client/verify/verify_command.h"
#include "model/certified_model.h"
#include "model/execution/exact_network.h"
#include "model/network/model_file.h"
#include "model/network/pixel_scaling.h"
#include "model/network/sealed_file.h"
#include "nlohmann/json.hpp"
#include "tests/soundness/audit/arguable_radius.h"
#include "tests/soundness/audit/hostile_file.h"
#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

using Json = nlohmann::ordered_json;

// A model, true answers of it, and forgeries of these.
class CertificateForger {
 public:
  CertificateForger(const RandomSubject& subject, std::mt19937_64& random)
      : random_(random), frozen_(subject.model) {
    if (!WriteModelFile(model_path_, frozen_).ok()) std::abort();
    served_ = CertifiedModel::Create(frozen_, kAnswers).value();
    exact_ = std::make_unique<ExactNetwork>(frozen_.network);
    arguable_ = std::make_unique<ArguableRadius>(frozen_.network);
    scaling_ = std::make_unique<PixelScaling>(frozen_.pixel_divisor);
    for (const bool pixels : {false, true}) true_.push_back(TrueAnswers(subject, pixels));
  }

  // Forges one file and checks it. `faults` gets what is wrong.
  void Try(HostileCounts& counts) {
    Json json = Json::parse(true_[Below(2)]);
    std::string what;
    std::string text = Forge(json, what);
    ++counts.certificates;
    const std::string path = folder_.path("answers.json");
    WriteBytes(path, text);
    std::ostringstream out;
    const absl::Status status = verify::RunVerify(
        {.model = model_path_, .certificate = path, .from_flags = std::nullopt}, out, out);
    if (!status.ok()) return;
    ++counts.accepted;
    if (const std::string wrong = WhatIsWrong(text); !wrong.empty()) {
      counts.faults.push_back(absl::StrCat("certificate ", counts.certificates, " (", what,
                                           "): accepted, but ", wrong));
    }
  }

  // Why the true answers are refused, or "".
  std::string RefusedTruth() {
    for (const std::string& text : true_) {
      const std::string path = folder_.path("true.json");
      WriteBytes(path, text);
      std::ostringstream out;
      const absl::Status status = verify::RunVerify(
          {.model = model_path_, .certificate = path, .from_flags = std::nullopt}, out, out);
      if (!status.ok()) return absl::StrCat("true answers are refused: ", out.str());
    }
    return "";
  }

 private:
  static constexpr std::size_t kAnswers = 3;

  std::size_t Below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }
  template <typename Value>
  Value OneOf(std::initializer_list<Value> values) {
    return values.begin()[Below(values.size())];
  }

  std::string TrueAnswers(const RandomSubject& subject, bool pixels) {
    const SampleShape& shape = frozen_.network.input_shape;
    ImageSet images;
    images.element_type = pixels ? v1::ELEMENT_TYPE_UINT8 : v1::ELEMENT_TYPE_FP32;
    images.shape = {static_cast<std::int64_t>(shape.channels),
                    static_cast<std::int64_t>(shape.height),
                    static_cast<std::int64_t>(shape.width)};
    std::vector<float> inputs;
    for (std::size_t i = 0; i < kAnswers; ++i) {
      for (std::size_t k = 0; k < shape.size(); ++k) {
        const auto pixel = i == 0 ? subject.image[k] : static_cast<std::uint8_t>(Below(256));
        inputs.push_back((*scaling_)[pixel]);
        if (pixels) images.data.push_back(static_cast<char>(pixel));
      }
    }
    if (!pixels) {
      images.data = {reinterpret_cast<const char*>(inputs.data()), inputs.size() * sizeof(float)};
    }
    images.origins.resize(kAnswers);
    std::vector<Answer> answers(kAnswers);
    const auto worker = served_->NewWorker();
    served_->Classify({inputs.data(), kAnswers, shape.size()}, *worker, answers);
    v1::ClassifyResponse response;
    response.mutable_model()->set_digest_sha256(frozen_.digest);
    response.set_radius_unit(pixels ? v1::RADIUS_UNIT_PIXEL : v1::RADIUS_UNIT_INPUT);
    for (const Answer& answer : answers) {
      v1::Classification& out = *response.add_classifications();
      out.set_class_index(static_cast<std::int32_t>(answer.class_index));
      out.set_label(frozen_.class_labels[answer.class_index]);
      out.set_margin(answer.margin_lower_bound);
      out.set_certified_radius_l2(pixels ? scaling_->PixelRadius(answer.radius_l2)
                                         : answer.radius_l2);
      if (pixels) {
        out.set_certified_pixel_radius_squared(SquaredRadiusDown(out.certified_radius_l2()));
      }
    }
    return CertificateJson(images, response);
  }

  static double Number(const Json& text) {
    return std::strtod(text.get<std::string>().c_str(), nullptr);
  }
  static std::string Hex(double value) { return absl::StrFormat("%a", value); }
  double Factor() {
    return 1.0 + std::pow(10.0, -std::uniform_real_distribution(0.0, 7.0)(random_));
  }

  std::string Forge(Json& json, std::string& what) {
    Json& answer = json["answers"][Below(kAnswers)];
    const auto say = [&](const std::string& text) {
      what = text;
      return json.dump();
    };
    switch (Below(12)) {
      case 0:
      case 1: {
        const double factor = Factor();
        Json& radius = answer["certified_radius_l2_hex"];
        radius = Hex(Number(radius) * factor);
        return say(absl::StrCat("radius times ", factor));
      }
      case 2: {
        const double factor = Factor();
        answer["margin_hex"] = Hex(Number(answer["margin_hex"]) * factor);
        return say(absl::StrCat("margin times ", factor));
      }
      case 3: {
        Json& squared = answer["certified_pixel_radius_squared"];
        squared =
            squared.is_null() ? Json(Below(3)) : Json(squared.get<std::uint64_t>() + 1 + Below(9));
        return say("a larger squared pixel radius");
      }
      case 4: {
        const std::size_t other = Below(frozen_.class_labels.size());
        answer["class_index"] = other;
        answer["label"] = frozen_.class_labels[other];
        return say("another class");
      }
      case 5: {
        std::string data;
        absl::Base64Unescape(answer["data_base64"].get<std::string>(), &data);
        data[Below(data.size())] ^= static_cast<char>(1 << Below(8));
        answer["data_base64"] = absl::Base64Escape(data);
        answer["data_sha256"] = ToHex(Sha256(data));
        return say("another input");
      }
      case 6: {
        const Json first = json["answers"][0];
        answer["certified_radius_l2_hex"] = first["certified_radius_l2_hex"];
        answer["margin_hex"] = first["margin_hex"];
        answer["certified_pixel_radius_squared"] = first["certified_pixel_radius_squared"];
        return say("the proof of another answer");
      }
      case 7:
        answer[OneOf<const char*>({"certified_radius_l2_hex", "margin_hex"})] =
            OneOf<const char*>({"nan", "inf", "-0x1p0", "0x1p99999999999", "1e999999999", "0x",
                                "0x1p+0 ", "", "0x1p-99999999", "1/0", "0x1.8p+2000"});
        return say("an odd number");
      case 8:
        answer["element_type"] = OneOf<const char*>({"UINT8", "FP32", "FP64"});
        answer["radius_unit"] = OneOf<const char*>({"PIXEL", "INPUT"});
        return say("type and unit");
      case 9: {
        answer["shape"][Below(3)] = OneOf<std::int64_t>({0, -1, 1, 1 << 22, std::int64_t{1} << 62});
        return say("shape");
      }
      case 10: {
        const std::string deep = std::string(std::size_t{1} << Below(18), '[');
        answer[OneOf<const char*>({"class_index", "shape", "label"})] = "HERE";
        std::string text = json.dump();
        text.replace(text.find("\"HERE\""), 6, deep + std::string(deep.size(), ']'));
        what = absl::StrCat(deep.size(), " nested brackets");
        return text;
      }
      default: {
        std::string text = json.dump();
        for (std::size_t times = 1 + Below(3); times > 0; --times) {
          const std::size_t at = Below(text.size());
          if (Below(3) == 0) {
            text.erase(at, 1 + Below(40));
          } else if (Below(2) == 0) {
            text.insert(at, text.substr(Below(text.size()), 1 + Below(40)));
          } else {
            text[at] = static_cast<char>(Below(256));
          }
          if (text.empty()) text = "{";
        }
        what = "damaged text";
        return text;
      }
    }
  }

  // What is wrong with accepted answers, or "".
  std::string WhatIsWrong(const std::string& text) const {
    constexpr double kRounding = 1.0 + 1e-9;
    const auto certificate = verify::ParseCertificate(text);
    if (!certificate.ok()) return "cannot be read";
    for (const verify::RecordedAnswer& recorded : certificate->answers) {
      const verify::Answer& answer = recorded.answer;
      const bool pixels = answer.element_type == verify::ElementType::kUint8;
      std::vector<float> input(frozen_.network.input_shape.size());
      if (answer.data.size() != input.size() * (pixels ? 1 : sizeof(float))) return "its size";
      if (pixels) {
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(answer.data.data());
        scaling_->Apply({bytes, answer.data.size()}, input);
      } else {
        std::memcpy(input.data(), answer.data.data(), answer.data.size());
      }
      if (exact_->ClassOf(input) != answer.class_index) return "the class is another";
      const ArguableAnswer largest = arguable_->At(input, answer.class_index);
      const double radius =
          pixels ? scaling_->PixelRadius(largest.radius * kRounding) : largest.radius;
      if (answer.radius.get_d() > radius * kRounding) return "the radius is too long";
      if (answer.margin->get_d() > largest.margin * kRounding) return "the margin is too large";
      if (pixels && std::sqrt(answer.pixel_radius_squared->get_d()) > radius * kRounding) {
        return absl::StrFormat("the squared pixel radius is too large: %s, but the radius is %.17g",
                               answer.pixel_radius_squared->get_str(), radius);
      }
    }
    return "";
  }

  std::mt19937_64& random_;
  TemporaryFolder folder_;
  std::string model_path_ = folder_.path("model.lip");
  FrozenModel frozen_;
  std::shared_ptr<const CertifiedModel> served_;
  std::unique_ptr<ExactNetwork> exact_;
  std::unique_ptr<ArguableRadius> arguable_;
  std::unique_ptr<PixelScaling> scaling_;
  std::vector<std::string> true_;  // certificate files
};

}  // namespace

HostileCounts TryHostileCertificates(const RandomSubject& subject, std::size_t count,
                                     std::uint64_t seed) {
  std::mt19937_64 random(seed);
  HostileCounts counts;
  CertificateForger forger(subject, random);
  if (const std::string refused = forger.RefusedTruth(); !refused.empty()) {
    counts.faults.push_back(refused);
  }
  for (std::size_t i = 0; i < count; ++i) forger.Try(counts);
  return counts;
}

}  // namespace lipserve
