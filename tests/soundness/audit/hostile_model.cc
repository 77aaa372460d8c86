// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/verify/answer_check.h"
#include "client/verify/model/model_file.h"
#include "google/protobuf/stubs/logging.h"
#include "google/protobuf/unknown_field_set.h"
#include "lipserve/v1/model_file.pb.h"
#include "lipserve/v1/sealed_file.pb.h"
#include "model/certified_model.h"
#include "model/network/model_file.h"
#include "model/network/sealed_file.h"
#include "tests/model/network_fixtures.h"
#include "tests/soundness/audit/arguable_radius.h"
#include "tests/soundness/audit/hostile_file.h"
#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Field 127, varint 1.
const std::string kUnknownField("\xf8\x07\x01", 3);

// One number or array somewhere in a message.
struct Place {
  Message* message = nullptr;
  const FieldDescriptor* field = nullptr;
  int index = 0;  // of a repeated field
  std::string path;
};

void CollectPlaces(Message& message, const std::string& path, std::vector<Place>& places) {
  const auto* const reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* const field : fields) {
    const std::string name = absl::StrCat(path, ".", field->name());
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        places.push_back({&message, field, i, name});
      } else if (field->is_repeated()) {
        CollectPlaces(*reflection->MutableRepeatedMessage(&message, field, i),
                      absl::StrCat(name, "[", i, "]"), places);
      } else {
        CollectPlaces(*reflection->MutableMessage(&message, field), name, places);
      }
    }
  }
}

class ModelForger {
 public:
  ModelForger(const RandomSubject& subject, std::mt19937_64& random)
      : subject_(subject), random_(random) {
    FrozenModel model = subject.model;
    const TemporaryFolder folder;
    const std::string path = folder.path("model.lip");
    if (!WriteModelFile(path, model).ok() || !file_.ParseFromString(ReadBytes(path)) ||
        !content_.ParseFromString(file_.content())) {
      std::abort();
    }
  }

  HostileFile Forge() {
    switch (Below(8)) {
      case 0:
      case 1:
        return LowerClaim();
      case 2:
      case 3:
        return ChangeNumber();
      case 4:
        return MoveLayers();
      case 5:
        return DamageBytes();
      case 6:
        return WriteOtherwise();
      default:
        return ChangeEnvelope();
    }
  }

 private:
  std::size_t Below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }
  template <typename Value>
  Value OneOf(std::initializer_list<Value> values) {
    return values.begin()[Below(values.size())];
  }

  HostileFile Sealed(const std::string& content, std::string what, bool must_be_refused = false) {
    file_.set_content(content);
    file_.set_content_sha256(Sha256(content));
    return {file_.SerializeAsString(), std::move(what), must_be_refused};
  }

  // Times 1 - 10^-1 to 1 - 10^-14, so that many are below the norm by next to nothing.
  HostileFile LowerClaim() {
    const FrozenNetwork& network = subject_.model.network;
    const std::vector<SampleShape> shapes = ValueShapes(network);
    std::vector<std::pair<int, double>> claims;
    for (int i = 0; i < content_.layers_size(); ++i) {
      const auto index = static_cast<std::size_t>(i);
      const double norm =
          ClaimedNormFromBelow(network.layers[index], shapes[network.InputOf(index)]);
      if (norm > 0.0) claims.emplace_back(i, norm);
    }
    if (claims.empty()) return ChangeNumber();
    const auto [index, norm] = claims[Below(claims.size())];
    const double less = std::pow(10.0, -std::uniform_real_distribution(1.0, 14.0)(random_));
    v1::FrozenLayer& layer = *content_.mutable_layers(index);
    const auto lower = [&](auto* claiming) {
      claiming->set_operator_norm_bound(claiming->operator_norm_bound() * (1.0 - less));
      return claiming->operator_norm_bound();
    };
    const double claim = layer.has_dense()         ? lower(layer.mutable_dense())
                         : layer.has_convolution() ? lower(layer.mutable_convolution())
                         : layer.convex_potential().has_dense()
                             ? lower(layer.mutable_convex_potential()->mutable_dense())
                             : lower(layer.mutable_convex_potential()->mutable_convolution());
    return Sealed(content_.SerializeAsString(),
                  absl::StrCat("layer ", index, ": norm claim times 1 - ", less),
                  claim < norm * (1.0 - 1e-12));
  }

  HostileFile ChangeNumber() {
    std::vector<Place> places;
    CollectPlaces(content_, "", places);
    const Place& place = places[Below(places.size())];
    const auto* const reflection = place.message->GetReflection();
    const auto set = [&](auto setter, auto adder, auto value) {
      if (place.field->is_repeated()) {
        (reflection->*adder)(place.message, place.field, place.index, value);
      } else {
        (reflection->*setter)(place.message, place.field, value);
      }
      return absl::StrCat(place.path, " = ", value);
    };
    using Reflection = google::protobuf::Reflection;
    switch (place.field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT64: {
        constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
        const auto value = OneOf<std::int64_t>({0, 1, 2, 3, 5, 7, 16, -1, 1 << 11, 1 << 20, 1 << 22,
                                                (1 << 22) + 1, std::int64_t{1} << 32,
                                                std::int64_t{1} << 62, kLargest, -kLargest - 1});
        return SealedChange(set(&Reflection::SetInt64, &Reflection::SetRepeatedInt64, value));
      }
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return SealedChange(
            set(&Reflection::SetDouble, &Reflection::SetRepeatedDouble,
                OneOf<double>({0.0, -0.0, -1.0, 1e-320, 1e-300, 1e-30, 1e30, 1e300, std::nan(""),
                               std::numeric_limits<double>::infinity()})));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return SealedChange(
            set(&Reflection::SetFloat, &Reflection::SetRepeatedFloat,
                OneOf<float>({0.0F, -1.0F, 1e-40F, 1e-38F, 1e-20F, 1e20F, 3e38F, std::nanf(""),
                              std::numeric_limits<float>::infinity()})));
      case FieldDescriptor::CPPTYPE_ENUM:
        return SealedChange(set(&Reflection::SetEnumValue, &Reflection::SetRepeatedEnumValue,
                                OneOf<int>({-1, 0, 1, 2, 3, 4, 5, 1 << 30})));
      case FieldDescriptor::CPPTYPE_STRING: {
        if (place.field->is_repeated()) return MoveLayers();
        std::string bytes = reflection->GetString(*place.message, place.field);
        const std::string change = ChangeArray(bytes);
        reflection->SetString(place.message, place.field, bytes);
        return SealedChange(absl::StrCat(place.path, ": ", change));
      }
      default:
        return MoveLayers();
    }
  }
  HostileFile SealedChange(std::string what) {
    return Sealed(content_.SerializeAsString(), std::move(what));
  }

  // Of float32 numbers.
  std::string ChangeArray(std::string& bytes) {
    if (bytes.size() < 4 || Below(4) == 0) {
      bytes.resize(
          OneOf<std::size_t>({0, 1, bytes.size() / 2, bytes.size() + 4, bytes.size() + 1}));
      return absl::StrCat("resized to ", bytes.size());
    }
    const float value = OneOf<float>({std::nanf(""), std::numeric_limits<float>::infinity(), 1e-40F,
                                      -0.0F, 1.1754944e-38F, 3.4e38F, -3.4e38F, 1e19F, 1e-20F});
    const std::size_t at = 4 * Below(bytes.size() / 4);
    std::memcpy(bytes.data() + at, &value, sizeof(value));
    return absl::StrCat("number ", at / 4, " = ", value);
  }

  HostileFile MoveLayers() {
    auto& layers = *content_.mutable_layers();
    const int a = static_cast<int>(Below(static_cast<std::size_t>(layers.size())));
    const int b = static_cast<int>(Below(static_cast<std::size_t>(layers.size())));
    switch (Below(4)) {
      case 0:
        layers.SwapElements(a, b);
        return SealedChange(absl::StrCat("layers ", a, " and ", b, " exchanged"));
      case 1:
        layers.DeleteSubrange(a, 1);
        return SealedChange(absl::StrCat("layer ", a, " removed"));
      case 2:
        *layers.Add() = layers[a];
        return SealedChange(absl::StrCat("layer ", a, " again at the end"));
      default:
        if (Below(2) == 0) {
          content_.add_class_labels("one more");
        } else {
          content_.clear_class_labels();
        }
        return SealedChange("class labels");
    }
  }

  HostileFile DamageBytes() {
    std::string content = file_.content();
    std::string what = "damaged at";
    for (std::size_t times = 1 + Below(4); times > 0; --times) {
      const std::size_t at = Below(content.size());
      // Half of them at the beginning, where the structure is.
      const std::size_t place = Below(2) == 0 ? at % 64 : at;
      if (place >= content.size()) continue;
      absl::StrAppend(&what, " ", place);
      switch (Below(5)) {
        case 0:
          content[place] = static_cast<char>(content[place] ^ (1 << Below(8)));
          break;
        case 1:
          content.insert(place, 1 + Below(8), static_cast<char>(Below(256)));
          break;
        case 2:
          content.erase(place, 1 + Below(8));
          break;
        case 3:
          content.insert(place, content.substr(place, 1 + Below(64)));
          break;
        default:
          if (Below(4) == 0) content.resize(place + 1);
          content[place] = static_cast<char>(Below(256));
          break;
      }
      if (content.empty()) content = std::string(1, '\0');
    }
    return Sealed(content, what);
  }

  // The same message in other bytes, or with something that a reader may skip.
  HostileFile WriteOtherwise() {
    std::string content = file_.content();
    const auto refused = [&](const std::string& bytes, const char* what) {
      return Sealed(bytes, what, /*must_be_refused=*/true);
    };
    v1::ModelContent part;
    switch (Below(10)) {
      case 0:
        return refused(content + kUnknownField, "an unknown field");
      case 1:
        return refused(std::string("\x10\x01", 2) + content, "a fourth number of the shape");
      case 2:
        part.add_layers();
        return refused(content + part.SerializeAsString(), "a layer of no kind");
      case 3:
        *part.mutable_pixel_scaling() = content_.pixel_scaling();
        return refused(content + part.SerializeAsString(), "the pixel scaling twice");
      case 4:
        part.set_name("another");
        return refused(part.SerializeAsString() + content, "two names");
      case 5: {
        v1::FrozenLayer& layer = *content_.mutable_layers(0);
        layer.GetReflection()->MutableUnknownFields(&layer)->AddVarint(127, 1);
        return refused(content_.SerializeAsString(), "an unknown field of a layer");
      }
      case 6:
        return refused(content + std::string("\x38\x00", 2), "a default that is written");
      case 7: {
        *part.mutable_pixel_scaling() = content_.pixel_scaling();
        content_.clear_pixel_scaling();
        return refused(content_.SerializeAsString() + part.SerializeAsString(),
                       "fields out of order");
      }
      case 8: {
        // A second kind: readers take the first or the last.
        v1::FrozenLayer flatten;
        flatten.mutable_flatten();
        std::string layers;
        for (const v1::FrozenLayer& layer : content_.layers()) {
          v1::SealedFile field;  // whose content has the field number of layers
          field.set_content(flatten.SerializeAsString() + layer.SerializeAsString());
          layers += field.SerializeAsString();
        }
        content_.clear_layers();
        v1::ModelContent head;
        head.set_name(content_.name());
        *head.mutable_input_shape() = content_.input_shape();
        *head.mutable_pixel_scaling() = content_.pixel_scaling();
        content_.clear_name();
        content_.clear_input_shape();
        content_.clear_pixel_scaling();
        return refused(head.SerializeAsString() + layers + content_.SerializeAsString(),
                       "two kinds of each layer");
      }
      default:
        // 0x0a length name: the length in two bytes.
        content.replace(1, 1, {static_cast<char>(content[1] | '\x80'), '\0'});
        return refused(content, "a length in more bytes than it needs");
    }
  }

  HostileFile ChangeEnvelope() {
    const std::string content = file_.content();
    HostileFile forged{.bytes = "", .what = "envelope", .must_be_refused = true};
    switch (Below(6)) {
      case 0:
        file_.set_kind(OneOf<const char*>({"", "lipserve.checkpoint", "lipserve.model "}));
        break;
      case 1:
        file_.set_format_version(
            OneOf<std::uint32_t>({0, 3 - file_.format_version(), 7, 0xFFFFFFFF}));
        break;
      case 2:
        file_.mutable_content_sha256()->at(Below(32)) ^= 1;
        break;
      case 3:
        file_.mutable_content()->at(Below(content.size())) ^= 1;
        break;
      case 4:
        forged.bytes = file_.SerializeAsString() + kUnknownField;
        return forged;
      default:
        forged.bytes = file_.SerializeAsString();
        forged.bytes.resize(Below(forged.bytes.size()));
        return forged;
    }
    forged.bytes = file_.SerializeAsString();
    return forged;
  }

  const RandomSubject& subject_;
  std::mt19937_64& random_;
  v1::SealedFile file_;
  v1::ModelContent content_;
};

// What a server does with a file.
absl::StatusOr<std::shared_ptr<const CertifiedModel>> LoadAsServer(const std::string& bytes) {
  const TemporaryFolder folder;
  const std::string path = folder.path("model.lip");
  WriteBytes(path, bytes);
  absl::StatusOr<FrozenModel> frozen = ReadModelFile(path);
  if (!frozen.ok()) return frozen.status();
  return CertifiedModel::Create(*std::move(frozen), 2);
}

absl::StatusOr<verify::ProvenModel> LoadAsChecker(const std::string& bytes) {
  absl::StatusOr<verify::Model> model = verify::ParseModel(bytes);
  if (!model.ok()) return model.status();
  return verify::ProvenModel::Prove(*std::move(model));
}

// Why an answer for a random input is not true, or "".
std::string FalseAnswer(const CertifiedModel& served, const verify::ProvenModel& proven,
                        std::mt19937_64& random) {
  const std::vector<float> input = RandomFloats(random, served.input_size(), 1.0);
  const auto worker = served.NewWorker();
  std::vector<Answer> answers(1);
  served.Classify({input.data(), 1, input.size()}, *worker, answers);
  const absl::Status status = verify::CheckAnswer(
      proven, {.element_type = verify::ElementType::kFloat32,
               .data = {reinterpret_cast<const char*>(input.data()), 4 * input.size()},
               .class_index = answers[0].class_index,
               .radius = mpq_class(answers[0].radius_l2),
               .margin = mpq_class(answers[0].margin_lower_bound)});
  if (status.ok()) return "";
  // Behind an L2-norm pool, the checker decides no tie.
  if (answers[0].radius_l2 == 0.0 &&
      std::ranges::any_of(served.frozen().network.layers, [](const FrozenLayer& layer) {
        return std::holds_alternative<L2NormPoolLayer>(layer);
      })) {
    return "";
  }
  return std::string(status.message());
}

}  // namespace

HostileFile ForgeModelFile(const RandomSubject& subject, std::mt19937_64& random) {
  return ModelForger(subject, random).Forge();
}

HostileCounts TryHostileModels(const RandomSubject& subject, std::size_t count,
                               std::uint64_t seed) {
  std::mt19937_64 random(seed);
  HostileCounts counts;
  google::protobuf::SetLogHandler(nullptr);  // damaged names are no news
  for (std::size_t i = 0; i < count; ++i) {
    const HostileFile file = ForgeModelFile(subject, random);
    const auto fault = [&](const std::string& text) {
      counts.faults.push_back(absl::StrCat("model file ", i, " (", file.what, "): ", text));
    };
    ++counts.model_files;
    if (file.must_be_refused && file.what.find("norm claim") != std::string::npos) {
      ++counts.false_claims;
    }
    const auto served = LoadAsServer(file.bytes);
    const auto proven = LoadAsChecker(file.bytes);
    if (file.must_be_refused && served.ok()) fault("a server takes it");
    if (file.must_be_refused && proven.ok()) fault("the checker takes it");
    if (!served.ok()) continue;
    ++counts.loaded;
    if (!proven.ok()) {
      fault(absl::StrCat("a server takes it, the checker does not: ",
                         std::string(proven.status().message())));
      continue;
    }
    for (int input = 0; input < 2; ++input) {
      ++counts.proven_answers;
      if (const std::string text = FalseAnswer(**served, *proven, random); !text.empty()) {
        fault(text);
      }
    }
  }
  return counts;
}

void HostileCounts::Add(const HostileCounts& other) {
  model_files += other.model_files;
  false_claims += other.false_claims;
  loaded += other.loaded;
  proven_answers += other.proven_answers;
  certificates += other.certificates;
  accepted += other.accepted;
  faults.insert(faults.end(), other.faults.begin(), other.faults.end());
}

}  // namespace lipserve
