// SPDX-License-Identifier: Apache-2.0
// Requests with one thing wrong each, and what a server has to say of them.
#ifndef TESTS_SERVER_MALFORMED_REQUESTS_H_
#define TESTS_SERVER_MALFORMED_REQUESTS_H_

#include <grpcpp/support/status.h>

#include <bit>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/server/small_model.h"

namespace lipserve {

template <typename Request>
struct MalformedRequest {
  std::string name;
  std::function<void(Request&)> spoil;  // makes a good request malformed
  grpc::StatusCode code;
  std::string message;
  std::string field;  // of google.rpc.BadRequest; empty: none
};

template <typename Request>
using MalformedRequests = std::vector<MalformedRequest<Request>>;

// Adds an INVALID_ARGUMENT about one field.
template <typename Request>
void AddInvalid(MalformedRequests<Request>& table, const std::string& name,
                const std::string& field, const std::string& description,
                std::function<void(Request&)> spoil) {
  table.push_back({name, std::move(spoil), grpc::StatusCode::INVALID_ARGUMENT,
                   absl::StrCat(field, ": ", description), field});
}

// Most images per call of the server that is asked.
inline constexpr int kMaxImages = 32;

using Shape = std::vector<std::int64_t>;

// What no image of the small model can have.
inline std::vector<Shape> WrongShapes() {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::vector<Shape> shapes = {{},
                               {1},
                               {16},
                               {0, 16},
                               {-1, 16},
                               {kLeast, 16},
                               {1, 0},
                               {1, 15},
                               {1, 17},
                               {1, -16},
                               {1, kMost},
                               {1, kLeast},
                               {16, 1},
                               {kMost, kMost},
                               {1, 4, 4},
                               {1, 1, 16},
                               {1, 16, 1},
                               {4, 4, 1},
                               {0, 1, 4, 4},
                               {-1, 1, 4, 4},
                               {kLeast, 1, 4, 4},
                               {1, 0, 4, 4},
                               {1, 2, 4, 4},
                               {1, -1, 4, 4},
                               {1, 1, 0, 4},
                               {1, 1, 5, 4},
                               {1, 1, 4, 3},
                               {1, 1, -4, -4},
                               {1, 1, 2, 8},
                               {1, 1, 16, 1},
                               {1, 4, 4, 1},
                               {4, 4, 1, 1},
                               {1, kMost, kMost, kMost},
                               {1, std::int64_t{1} << 32, 4, 4},
                               {1, (std::int64_t{1} << 32) + 1, 4, 4},
                               {1, 1, 1, 4, 4},
                               {1, 1, 4, 4, 1},
                               {1, 1, 1, 1, 4, 4}};
  for (const std::size_t rank : {7UL, 8UL, 9UL, 100UL, 1000UL}) shapes.emplace_back(rank, 1);
  return shapes;
}

// Of the right form, for more images than a call may carry.
inline std::vector<Shape> LargeShapes() {
  std::vector<Shape> shapes;
  for (const std::int64_t images :
       {std::int64_t{kMaxImages} + 1, std::int64_t{1} << 32, (std::int64_t{1} << 32) + 1,
        std::int64_t{1} << 60, std::numeric_limits<std::int64_t>::max()}) {
    shapes.push_back({images, 16});
    shapes.push_back({images, 1, 4, 4});
  }
  return shapes;
}

inline std::string TextOf(const Shape& shape) {
  constexpr std::size_t kMaxShown = 8;
  if (shape.size() <= kMaxShown) return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
  return absl::StrCat("[", absl::StrJoin(shape.begin(), shape.begin() + kMaxShown, ", "),
                      ", ...] of rank ", shape.size());
}

inline std::string ShapeExpected(const Shape& got) {
  return absl::StrCat("expected [N, 1, 4, 4] or [N, 16] with N at least 1, got ", TextOf(got));
}

inline std::string FewerImagesExpected(const Shape& got) {
  return absl::StrCat("expected at most ", kMaxImages, " images per call, got ", got[0],
                      "; send them in several calls");
}

// A number that no image may have, and its name in messages.
struct NotFinite {
  std::uint32_t bits;
  const char* name;
};

inline constexpr NotFinite kNotFinite[] = {
    {0x7FC00000U, "NaN"}, {0xFFC00000U, "NaN"},       {0x7F800001U, "NaN"},
    {0xFF800001U, "NaN"}, {0x7FFFFFFFU, "NaN"},       {0xFFFFFFFFU, "NaN"},
    {0x7FBFFFFFU, "NaN"}, {0x7F800000U, "+infinity"}, {0xFF800000U, "-infinity"},
};

// Calls `add` with every such number at several places of two images.
inline void ForEachNotFinite(
    const std::function<void(const std::string& name, const std::string& description,
                             std::size_t index, float value)>& add) {
  for (const NotFinite& bad : kNotFinite) {
    for (const std::size_t index :
         {std::size_t{0}, std::size_t{7}, std::size_t{15}, std::size_t{16}, std::size_t{31}}) {
      add(absl::StrCat(bad.name, " ", absl::Hex(bad.bits), " at ", index),
          absl::StrCat("expected finite numbers, got ", bad.name, " at element ",
                       index % kSmallInputSize, " of image ", index / kSmallInputSize),
          index, std::bit_cast<float>(bad.bits));
    }
  }
}

// An epsilon that cannot be, and its text in messages.
inline std::vector<std::pair<double, std::string>> WrongEpsilons() {
  using Limits = std::numeric_limits<double>;
  return {{Limits::quiet_NaN(), "nan"},
          {Limits::infinity(), "inf"},
          {-Limits::infinity(), "-inf"},
          {-1.0, "-1"},
          {-0.5, "-0.5"},
          {Limits::lowest(), "-1.79769e+308"},
          {-Limits::denorm_min(), "-4.94066e-324"}};
}

}  // namespace lipserve

#endif  // TESTS_SERVER_MALFORMED_REQUESTS_H_
