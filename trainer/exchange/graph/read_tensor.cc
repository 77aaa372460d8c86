// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/graph/read_tensor.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve::exchange {
namespace {

using onnx::TensorProto;

// Where data outside of the model's file lies.
struct ExternalData {
  std::string location;
  std::size_t offset = 0;
  std::size_t length = 0;  // 0: as long as the array needs
};

absl::StatusOr<std::size_t> ParseSize(const std::string& text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return absl::InvalidArgumentError(absl::StrCat("external data: expected a size, got ", text));
}

absl::StatusOr<ExternalData> ParseExternal(const TensorProto& proto) {
  ExternalData data;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") data.location = entry.value();
    if (entry.key() == "offset") {
      LIPSERVE_ASSIGN_OR_RETURN(data.offset, ParseSize(entry.value()));
    }
    if (entry.key() == "length") {
      LIPSERVE_ASSIGN_OR_RETURN(data.length, ParseSize(entry.value()));
    }
  }
  return data;
}

// The path of a file in the model's folder, links resolved.
absl::StatusOr<std::string> PathInFolder(const std::string& folder, const std::string& location) {
  namespace fs = std::filesystem;
  const auto outside = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("external data: expected a file in the model's folder, got \"", location,
                     "\": lipserve opens no other file; put the data beside the model"));
  };
  const fs::path relative(location);
  if (location.empty() || location.find('\0') != std::string::npos || relative.is_absolute()) {
    return outside();
  }
  for (const fs::path& part : relative) {
    if (part == "..") return outside();
  }
  std::error_code error;
  const fs::path root = fs::canonical(folder.empty() ? "." : folder, error);
  const fs::path path = error ? fs::path() : fs::canonical(root / relative, error);
  if (error || !fs::is_regular_file(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "external data: expected the file \"", location,
        "\" beside the model, got none: copy it there, as the exporter wrote two files"));
  }
  const std::string inside = (root / "").string();
  if (path.string().compare(0, inside.size(), inside) != 0) return outside();
  return path.string();
}

absl::StatusOr<std::string> ReadExternal(const TensorProto& proto, const std::string& folder,
                                         std::size_t bytes, ArrayBudget& budget) {
  LIPSERVE_ASSIGN_OR_RETURN(const ExternalData data, ParseExternal(proto));
  LIPSERVE_ASSIGN_OR_RETURN(const std::string path, PathInFolder(folder, data.location));
  const std::size_t size = std::filesystem::file_size(path);
  if ((data.length != 0 && data.length != bytes) || data.offset > size ||
      bytes > size - data.offset) {
    return absl::InvalidArgumentError(absl::StrCat(
        "external data: expected ", bytes, " bytes from byte ", data.offset, " on, got length ",
        data.length, " in a file of ", size, " bytes: ", data.location, " is damaged"));
  }
  budget.AddFile(path, size, bytes);
  LIPSERVE_RETURN_IF_ERROR(budget.Take(bytes, 1, "external data"));
  std::string content(bytes, '\0');
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(data.offset));
  file.read(content.data(), static_cast<std::streamsize>(bytes));
  if (file) return content;
  return absl::InvalidArgumentError(
      absl::StrCat("external data: cannot read ", data.location, " to its end"));
}

// The bytes of one number in raw data, or 0 for types that are no numbers that we take.
std::size_t RawSize(int type) {
  switch (type) {
    case TensorProto::FLOAT:
    case TensorProto::INT32:
      return 4;
    case TensorProto::DOUBLE:
    case TensorProto::INT64:
      return 8;
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      return 2;
    case TensorProto::BOOL:
    case TensorProto::INT8:
    case TensorProto::UINT8:
      return 1;
    default:
      return 0;
  }
}

float FromBfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

float FromFloat16(std::uint16_t bits) {
  const std::uint32_t exponent = (bits >> 10U) & 31U;
  const auto fraction = static_cast<float>(bits & 1023U);
  const float sign = (bits & 0x8000U) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024.0F + fraction, static_cast<int>(exponent) - 25);
}

template <typename Number>
Number Load(const char* bytes) {  // little-endian, as this machine
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

template <typename Raw, typename Values, typename Convert>
void LoadAll(std::string_view raw, Values& values, Convert convert) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    values[k] = convert(Load<Raw>(raw.data() + k * sizeof(Raw)));
  }
}

void FillFromRaw(int type, std::string_view raw, Tensor& tensor) {
  const auto same = [](auto value) { return value; };
  const auto widen = [](auto value) { return static_cast<std::int64_t>(value); };
  if (auto* const floats = std::get_if<std::vector<float>>(&tensor.values)) {
    if (type == TensorProto::FLOAT) LoadAll<float>(raw, *floats, same);
    if (type == TensorProto::FLOAT16) LoadAll<std::uint16_t>(raw, *floats, FromFloat16);
    if (type == TensorProto::BFLOAT16) LoadAll<std::uint16_t>(raw, *floats, FromBfloat16);
  } else if (auto* const doubles = std::get_if<std::vector<double>>(&tensor.values)) {
    LoadAll<double>(raw, *doubles, same);
  } else {
    auto& integers = std::get<std::vector<std::int64_t>>(tensor.values);
    if (type == TensorProto::INT64) LoadAll<std::int64_t>(raw, integers, same);
    if (type == TensorProto::INT32) LoadAll<std::int32_t>(raw, integers, widen);
    if (type == TensorProto::INT8) LoadAll<std::int8_t>(raw, integers, widen);
    if (type == TensorProto::UINT8 || type == TensorProto::BOOL) {
      LoadAll<std::uint8_t>(raw, integers, widen);
    }
  }
}

// From the field of the type; its size, for the check.
std::size_t FillFromFields(const TensorProto& proto, std::size_t count, Tensor& tensor) {
  const auto copy = [&](const auto& field, auto& values, auto convert) -> std::size_t {
    const auto size = static_cast<std::size_t>(field.size());
    if (size != count) return size;
    for (std::size_t k = 0; k < count; ++k) values[k] = convert(field[static_cast<int>(k)]);
    return size;
  };
  const auto same = [](auto value) { return value; };
  if (auto* const floats = std::get_if<std::vector<float>>(&tensor.values)) {
    if (proto.data_type() == TensorProto::FLOAT) return copy(proto.float_data(), *floats, same);
    const auto half = [&](std::int32_t bits) {
      const auto narrow = static_cast<std::uint16_t>(bits);
      return proto.data_type() == TensorProto::FLOAT16 ? FromFloat16(narrow) : FromBfloat16(narrow);
    };
    return copy(proto.int32_data(), *floats, half);
  }
  if (auto* const doubles = std::get_if<std::vector<double>>(&tensor.values)) {
    return copy(proto.double_data(), *doubles, same);
  }
  auto& integers = std::get<std::vector<std::int64_t>>(tensor.values);
  if (proto.data_type() == TensorProto::INT64) return copy(proto.int64_data(), integers, same);
  return copy(proto.int32_data(), integers,
              [](std::int32_t value) { return static_cast<std::int64_t>(value); });
}

Tensor EmptyTensor(int type, std::size_t count) {
  Tensor tensor;
  if (type == TensorProto::DOUBLE) {
    tensor.type = ElementType::kFloat64;
    tensor.values = std::vector<double>(count);
  } else if (type == TensorProto::FLOAT || type == TensorProto::FLOAT16 ||
             type == TensorProto::BFLOAT16) {
    tensor.type = ElementType::kFloat32;
    tensor.values = std::vector<float>(count);
  } else {
    tensor.type = type == TensorProto::BOOL ? ElementType::kBool : ElementType::kInt64;
    tensor.values = std::vector<std::int64_t>(count);
  }
  return tensor;
}

// Refuses NaN and infinity. Takes subnormal numbers as 0, and returns how many.
template <typename Number>
absl::StatusOr<std::size_t> Clean(std::vector<Number>& numbers) {
  std::size_t flushed = 0;
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    if (!std::isfinite(numbers[k])) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected finite numbers, got ", numbers[k], " at index ", k,
                       ": the training diverged, or the file is damaged"));
    }
    if (numbers[k] == 0 || std::isnormal(numbers[k])) continue;
    numbers[k] = 0;
    ++flushed;
  }
  return flushed;
}

// The number of elements of the shape.
absl::StatusOr<std::size_t> Count(const TensorProto& proto, std::vector<std::int64_t>& dims) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  std::int64_t count = 1;
  for (const std::int64_t dim : proto.dims()) {
    if (dim < 0 || (dim > 0 && count > kMost / dim)) {
      return absl::InvalidArgumentError(absl::StrCat("expected dimensions from 0 on and at most ",
                                                     kMost, " elements, got dimension ", dim,
                                                     ": the file is damaged"));
    }
    count *= dim;
    dims.push_back(dim);
  }
  return static_cast<std::size_t>(count);
}

absl::StatusOr<Tensor> Read(TensorProto& proto, const std::string& folder, ArrayBudget& budget,
                            std::size_t& flushed) {
  const int type = proto.data_type();
  const std::size_t size = RawSize(type);
  if (size == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected float32, float64, float16, bfloat16, integers or booleans, got type ", type,
        " of TensorProto.DataType: export the model in float32"));
  }
  std::vector<std::int64_t> dims;
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t count, Count(proto, dims));
  const bool is_external = proto.data_location() == TensorProto::EXTERNAL;
  std::string raw;
  if (is_external) {
    LIPSERVE_ASSIGN_OR_RETURN(raw, ReadExternal(proto, folder, count * size, budget));
  } else if (proto.has_raw_data()) {
    raw = std::move(*proto.mutable_raw_data());
    if (raw.size() != count * size) {
      return absl::InvalidArgumentError(absl::StrCat("expected ", count * size, " bytes for ",
                                                     count, " numbers, got ", raw.size(),
                                                     ": the file is damaged"));
    }
  } else if (count > proto.ByteSizeLong()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", count, " numbers, got fewer: the file is damaged"));
  }
  const bool is_number =
      type == TensorProto::FLOAT || type == TensorProto::FLOAT16 || type == TensorProto::BFLOAT16;
  LIPSERVE_RETURN_IF_ERROR(budget.Take(count, is_number ? 4 : 8, "its array"));
  Tensor tensor = EmptyTensor(type, count);
  tensor.dims = std::move(dims);
  if (is_external || !raw.empty()) {
    FillFromRaw(type, raw, tensor);
  } else if (const std::size_t got = FillFromFields(proto, count, tensor); got != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", count, " numbers, got ", got, ": the file is damaged"));
  }
  proto.Clear();
  if (auto* const floats = std::get_if<std::vector<float>>(&tensor.values)) {
    LIPSERVE_ASSIGN_OR_RETURN(flushed, Clean(*floats));
  } else if (auto* const doubles = std::get_if<std::vector<double>>(&tensor.values)) {
    LIPSERVE_ASSIGN_OR_RETURN(flushed, Clean(*doubles));
  }
  return tensor;
}

}  // namespace

absl::Status ArrayBudget::Take(std::size_t elements, std::size_t bytes_each,
                               const std::string& what) {
  if (elements <= left_ / bytes_each) {
    left_ -= elements * bytes_each;
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(what, ": expected at most ", limit_, " bytes for all arrays of this file, got ",
                   elements, " elements of ", bytes_each, " bytes on top of the others"));
}

void ArrayBudget::AddFile(const std::string& path, std::size_t size, std::size_t bytes) {
  std::size_t& unread = unread_.emplace(path, size).first->second;
  const std::size_t more = std::min(bytes, unread);
  unread -= more;
  left_ += 4 * more;
  limit_ += 4 * more;
}

absl::StatusOr<Tensor> ReadTensor(TensorProto& proto, const std::string& folder,
                                  const std::string& what, ArrayBudget& budget,
                                  std::vector<std::string>& notes) {
  std::size_t flushed = 0;
  absl::StatusOr<Tensor> tensor = Read(proto, folder, budget, flushed);
  if (!tensor.ok()) {
    return absl::Status(tensor.status().code(),
                        absl::StrCat(what, ": ", std::string(tensor.status().message())));
  }
  if (flushed > 0) {
    notes.push_back(absl::StrCat(what, ": ", flushed, " subnormal numbers became 0"));
  }
  return tensor;
}

}  // namespace lipserve::exchange
