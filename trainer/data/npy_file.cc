// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/npy_file.h"

#include <bit>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/data/whole_file.h"

namespace lipserve::trainer {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 33;
constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxAxes = 32;  // NumPy's own limit

// What the header says.
struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::size_t> shape;
  std::size_t data_begin = 0;
};

// Reads the Python literals that NumPy writes, and no others.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : rest_(text) {}

  bool Take(char wanted) {
    SkipBlanks();
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool TakeWord(std::string_view word) {
    SkipBlanks();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::optional<std::string> TakeQuoted() {
    SkipBlanks();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return std::nullopt;
    const std::size_t end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos) return std::nullopt;
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }

  std::optional<std::size_t> TakeNumber() {
    SkipBlanks();
    std::size_t digits = 0;
    while (digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') ++digits;
    std::uint64_t number = 0;
    if (digits == 0 || !absl::SimpleAtoi(absl::string_view(rest_.data(), digits), &number)) {
      return std::nullopt;
    }
    rest_.remove_prefix(digits);
    return number;
  }

  bool AtEnd() {
    SkipBlanks();
    return rest_.empty();
  }

 private:
  void SkipBlanks() {
    const std::size_t begin = rest_.find_first_not_of(" \n");
    rest_.remove_prefix(begin == std::string_view::npos ? rest_.size() : begin);
  }

  std::string_view rest_;
};

bool ParseShape(HeaderText& text, std::vector<std::size_t>& shape) {
  if (!text.Take('(')) return false;
  while (!text.Take(')')) {
    const std::optional<std::size_t> axis = text.TakeNumber();
    if (!axis || shape.size() == kMaxAxes) return false;
    shape.push_back(*axis);
    if (!text.Take(',')) return text.Take(')');
  }
  return true;
}

// One "key: value" of the dictionary.
bool ParseEntry(HeaderText& text, Header& header) {
  const std::optional<std::string> key = text.TakeQuoted();
  if (!key || !text.Take(':')) return false;
  if (*key == "shape") return ParseShape(text, header.shape);
  if (*key == "fortran_order") {
    header.fortran_order = text.TakeWord("True");
    return header.fortran_order || text.TakeWord("False");
  }
  if (*key != "descr") return false;
  const std::optional<std::string> descr = text.TakeQuoted();
  header.descr = descr.value_or("");
  return descr.has_value();
}

bool ParseDictionary(HeaderText text, Header& header) {
  if (!text.Take('{')) return false;
  while (!text.Take('}')) {
    if (!ParseEntry(text, header)) return false;
    if (text.Take(',')) continue;
    if (!text.Take('}')) return false;
    break;
  }
  return text.AtEnd() && !header.descr.empty();
}

std::uint64_t LittleEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = (value << 8) | static_cast<std::uint8_t>(bytes[i]);
  }
  return value;
}

absl::StatusOr<Header> ParseHeader(const std::string& path, std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) {
    const std::string_view start = bytes.substr(0, kMagic.size());
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected an array saved by numpy.save, which starts with \"\\x93NUMPY\", got \"",
        absl::CHexEscape(absl::string_view(start.data(), start.size())), "\""));
  }
  const std::uint64_t version = LittleEndian(bytes.substr(kMagic.size(), 1));
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t text_begin = kMagic.size() + 2 + length_bytes;
  const bool has_length = version >= 1 && version <= 3 && bytes.size() >= text_begin;
  const std::uint64_t length =
      has_length ? LittleEndian(bytes.substr(text_begin - length_bytes, length_bytes)) : 0;
  Header header;
  if (!has_length || length > bytes.size() - text_begin ||
      !ParseDictionary(HeaderText(bytes.substr(text_begin, length)), header)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected the header of a plain array in .npy format version 1 to 3, got another ",
        "one: is the file damaged, or does it hold a structured array? Save it again"));
  }
  header.data_begin = text_begin + length;
  return header;
}

constexpr std::string_view kIntegers = "ui";

// Bytes of one element, or 0 if its kind is none of `kinds`.
std::size_t ElementBytes(const std::string& descr, std::string_view kinds) {
  if (descr.size() != 3 || std::string_view("|<>=").find(descr[0]) == std::string_view::npos ||
      kinds.find(descr[1]) == std::string_view::npos) {
    return 0;
  }
  const std::size_t bytes = static_cast<std::size_t>(descr[2] - '0');
  return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 ? bytes : 0;
}

absl::Status CheckOrder(const std::string& path, const Header& header) {
  if (!header.fortran_order) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": expected rows first (C order), got Fortran order: save ",
                   "numpy.ascontiguousarray(array)"));
}

absl::Status CheckHeader(const std::string& path, const Header& header) {
  if (ElementBytes(header.descr, kIntegers) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": expected integers, such as '|u1' (uint8), got elements '", header.descr,
        "': save labels as integers, and pixels scaled to 0..255 and rounded; for images of 0..1 "
        "that is numpy.rint(array * 255).astype(numpy.uint8)"));
  }
  return CheckOrder(path, header);
}

// Whether there are as many bytes as the shape needs.
absl::Status CheckSize(const std::string& path, const Header& header, std::size_t element,
                       std::size_t data_bytes) {
  std::uint64_t count = 1;
  for (const std::size_t axis : header.shape) {
    if (axis != 0 && count > kMaxBytes / axis) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": its shape multiplies to more than ", kMaxBytes, " elements"));
    }
    count *= axis;
  }
  if (count * element != data_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected ", count * element,
                                                   " bytes of data as its header says, got ",
                                                   data_bytes, ": is it cut short?"));
  }
  return absl::OkStatus();
}

// Element `i`, in the byte order that `descr` says.
std::uint64_t ElementBits(std::string_view data, std::size_t i, std::size_t bytes, bool is_big) {
  std::uint64_t bits = 0;
  for (std::size_t b = 0; b < bytes; ++b) {
    const std::size_t from = is_big ? b : bytes - 1 - b;
    bits = (bits << 8) | static_cast<std::uint8_t>(data[i * bytes + from]);
  }
  return bits;
}

absl::Status ReadIntegers(const std::string& path, const Header& header, std::string_view data,
                          std::vector<std::int64_t>& integers) {
  const std::size_t bytes = ElementBytes(header.descr, kIntegers);
  assert(bytes > 0);  // CheckHeader
  const bool is_signed = header.descr[1] == 'i';
  const auto unused_bits = static_cast<unsigned>(64 - 8 * bytes);
  for (std::size_t i = 0; i < data.size() / bytes; ++i) {
    const std::uint64_t bits = ElementBits(data, i, bytes, header.descr[0] == '>');
    if (!is_signed && bits > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": element ", i, ": expected an integer below 2^63, got ", bits));
    }
    // Shifting up and back spreads the sign.
    integers.push_back(is_signed ? static_cast<std::int64_t>(bits << unused_bits) >> unused_bits
                                 : static_cast<std::int64_t>(bits));
  }
  return absl::OkStatus();
}

// The number whose bits are given, of kind 'f', 'i', 'u' or 'b'.
double NumberOf(std::uint64_t bits, char kind, std::size_t bytes) {
  if (kind == 'f' && bytes == 4) {
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  if (kind == 'f') return std::bit_cast<double>(bits);
  if (kind != 'i') return static_cast<double>(bits);
  const auto unused_bits = static_cast<unsigned>(64 - 8 * bytes);
  return static_cast<double>(static_cast<std::int64_t>(bits << unused_bits) >> unused_bits);
}

}  // namespace

absl::StatusOr<NpyNumbers> ParseNpyNumbers(const std::string& name, std::string_view bytes) {
  LIPSERVE_ASSIGN_OR_RETURN(const Header header, ParseHeader(name, bytes));
  LIPSERVE_RETURN_IF_ERROR(CheckOrder(name, header));
  const std::size_t element = ElementBytes(header.descr, "fuib");
  if (element == 0 || (header.descr[1] == 'f' && element < 4)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": expected float32, float64, integers or booleans, got elements '",
                     header.descr, "'"));
  }
  const std::string_view data = bytes.substr(header.data_begin);
  LIPSERVE_RETURN_IF_ERROR(CheckSize(name, header, element, data.size()));
  NpyNumbers array{.shape = header.shape, .numbers = std::vector<double>(data.size() / element)};
  for (std::size_t i = 0; i < array.numbers.size(); ++i) {
    const std::uint64_t bits = ElementBits(data, i, element, header.descr[0] == '>');
    array.numbers[i] = NumberOf(bits, header.descr[1], element);
  }
  return array;
}

absl::StatusOr<NpyArray> ReadNpyFile(const std::string& path) {
  LIPSERVE_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(path, kMaxBytes));
  LIPSERVE_ASSIGN_OR_RETURN(const Header header, ParseHeader(path, bytes));
  LIPSERVE_RETURN_IF_ERROR(CheckHeader(path, header));
  const std::string_view data = std::string_view(bytes).substr(header.data_begin);
  LIPSERVE_RETURN_IF_ERROR(
      CheckSize(path, header, ElementBytes(header.descr, kIntegers), data.size()));
  NpyArray array;
  array.shape = header.shape;
  if (header.descr.substr(1) == "u1") {
    array.bytes.assign(data.begin(), data.end());
  } else {
    LIPSERVE_RETURN_IF_ERROR(ReadIntegers(path, header, data, array.integers));
  }
  return array;
}

}  // namespace lipserve::trainer
