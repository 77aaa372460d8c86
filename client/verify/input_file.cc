// SPDX-License-Identifier: Apache-2.0
#include "client/verify/input_file.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/verify/whole_file.h"
#include "proto/idx/idx_file.h"

namespace lipserve::verify {
namespace {

constexpr std::size_t kMaxFloatFile = std::size_t{1} << 30;
constexpr std::size_t kFloatSize = 4;

// A file and the position of the item wanted from it.
struct ItemName {
  std::string path;
  std::size_t position = 0;
};

absl::StatusOr<ItemName> ParseItemName(const std::string& argument) {
  const std::size_t bracket = argument.rfind('[');
  if (argument.empty() || argument.back() != ']' || bracket == std::string::npos) {
    return ItemName{.path = argument};
  }
  const std::string digits = argument.substr(bracket + 1, argument.size() - bracket - 2);
  const bool is_number =
      !digits.empty() && digits.size() <= 12 &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  std::uint64_t position = 0;
  if (!is_number || !absl::SimpleAtoi(digits, &position)) {
    return absl::InvalidArgumentError(absl::StrCat(
        argument, ": expected one position in brackets such as [17], got [", digits, "]"));
  }
  return ItemName{.path = argument.substr(0, bracket), .position = position};
}

// The bytes of one item among those of `all`.
absl::StatusOr<std::string> ItemOf(const std::string& all, std::size_t item_size,
                                   const ItemName& name) {
  if (all.empty() || all.size() % item_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(name.path, ": expected a whole number of inputs of ", item_size,
                     " bytes, got ", all.size(), " bytes"));
  }
  const std::size_t count = all.size() / item_size;
  if (name.position >= count) {
    return absl::OutOfRangeError(absl::StrCat(name.path, ": expected a position from 0 to ",
                                              count - 1, ", got ", name.position));
  }
  return all.substr(name.position * item_size, item_size);
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

absl::StatusOr<InputItem> ReadInputItem(const std::string& argument, std::size_t input_size) {
  const absl::StatusOr<ItemName> name = ParseItemName(argument);
  if (!name.ok()) return name.status();
  InputItem item;
  std::string all;
  if (EndsWith(name->path, ".f32")) {
    absl::StatusOr<std::string> bytes = ReadWholeFile(name->path, kMaxFloatFile);
    if (!bytes.ok()) return bytes.status();
    all = *std::move(bytes);
  } else {
    const absl::StatusOr<IdxArray> array = ReadIdxFile(name->path);
    if (!array.ok()) return array.status();
    item.element_type = ElementType::kUint8;
    all.assign(array->values.begin(), array->values.end());
  }
  const std::size_t item_size =
      input_size * (item.element_type == ElementType::kFloat32 ? kFloatSize : 1);
  absl::StatusOr<std::string> data = ItemOf(all, item_size, *name);
  if (!data.ok()) return data.status();
  item.data = *std::move(data);
  return item;
}

}  // namespace lipserve::verify
