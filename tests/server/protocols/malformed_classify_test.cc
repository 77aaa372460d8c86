// SPDX-License-Identifier: Apache-2.0
// Every malformed request of lipserve.v1 that we could think of, sent to a server over loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/server/malformed_requests.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using v1::ClassifyRequest;
using ClassifyTable = MalformedRequests<ClassifyRequest>;

// Two images.
ClassifyRequest GoodClassifyRequest() { return Fp32Request("first", RandomInputs(7, 2)); }

void SetShape(ClassifyRequest& request, const Shape& shape) {
  request.mutable_images()->mutable_shape()->Assign(shape.begin(), shape.end());
}

void AddShapes(ClassifyTable& table) {
  for (const Shape& shape : WrongShapes()) {
    AddInvalid<ClassifyRequest>(table, "shape " + TextOf(shape), "images.shape",
                                ShapeExpected(shape),
                                [shape](ClassifyRequest& request) { SetShape(request, shape); });
  }
  for (const Shape& shape : LargeShapes()) {
    AddInvalid<ClassifyRequest>(table, "images " + TextOf(shape), "images.shape",
                                FewerImagesExpected(shape),
                                [shape](ClassifyRequest& request) { SetShape(request, shape); });
  }
}

void AddData(ClassifyTable& table) {
  struct Type {
    v1::ElementType type;
    std::size_t bytes;  // of two images
  };
  for (const Type& type : {Type{v1::ELEMENT_TYPE_FP32, 128}, Type{v1::ELEMENT_TYPE_UINT8, 32}}) {
    for (const std::size_t size : {0UL, 1UL, 4UL, type.bytes / 2, type.bytes - 1, type.bytes + 1,
                                   2 * type.bytes, 100000UL}) {
      AddInvalid<ClassifyRequest>(
          table, absl::StrCat(v1::ElementType_Name(type.type), " of ", size), "images.data",
          absl::StrCat("expected ", type.bytes, " bytes for shape [2, 16] of ",
                       v1::ElementType_Name(type.type), ", got ", size),
          [type, size](ClassifyRequest& request) {
            request.mutable_images()->set_element_type(type.type);
            request.mutable_images()->set_data(std::string(size, '\1'));
          });
    }
  }
  ForEachNotFinite([&table](const std::string& name, const std::string& description,
                            std::size_t index, float value) {
    AddInvalid<ClassifyRequest>(
        table, name, "images.data", description, [=](ClassifyRequest& request) {
          std::memcpy(request.mutable_images()->mutable_data()->data() + index * sizeof(float),
                      &value, sizeof(float));
        });
  });
  AddInvalid<ClassifyRequest>(table, "no images", "images", "expected a batch of images, got none",
                              [](ClassifyRequest& request) { request.clear_images(); });
}

void AddEnums(ClassifyTable& table) {
  const std::string types =
      "expected ELEMENT_TYPE_UINT8 (pixels 0..255) or ELEMENT_TYPE_FP32, got ";
  AddInvalid<ClassifyRequest>(
      table, "no type", "images.element_type", types + "none",
      [](ClassifyRequest& request) { request.mutable_images()->clear_element_type(); });
  AddInvalid<ClassifyRequest>(table, "empty images", "images.element_type", types + "none",
                              [](ClassifyRequest& request) { request.mutable_images()->Clear(); });
  for (const int value :
       {3, 4, 100, -1, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    AddInvalid<ClassifyRequest>(
        table, absl::StrCat("type ", value), "images.element_type",
        absl::StrCat(types, "the unknown value ", value), [value](ClassifyRequest& request) {
          request.mutable_images()->set_element_type(static_cast<v1::ElementType>(value));
        });
    AddInvalid<ClassifyRequest>(
        table, absl::StrCat("precision ", value), "radius_precision",
        absl::StrCat("expected RADIUS_PRECISION_TIGHT, RADIUS_PRECISION_FAST or none, got the "
                     "unknown value ",
                     value),
        [value](ClassifyRequest& request) {
          request.set_radius_precision(static_cast<v1::RadiusPrecision>(value));
        });
  }
}

void AddOptions(ClassifyTable& table) {
  for (const auto& [epsilon, text] : WrongEpsilons()) {
    AddInvalid<ClassifyRequest>(
        table, "epsilon " + text, "epsilon",
        "expected a finite L2 radius that is not negative, got " + text,
        [value = epsilon](ClassifyRequest& request) { request.set_epsilon(value); });
  }
  for (const int priority :
       {-1, 6, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    AddInvalid<ClassifyRequest>(
        table, absl::StrCat("priority ", priority), "priority",
        absl::StrCat("expected 1 (computed first) to 5, or 0 for 3, got ", priority),
        [priority](ClassifyRequest& request) { request.set_priority(priority); });
  }
  for (const std::size_t size : {129UL, 1000UL, 100000UL}) {
    AddInvalid<ClassifyRequest>(
        table, absl::StrCat("id of ", size), "request_id",
        absl::StrCat("expected at most 128 bytes, got ", size),
        [size](ClassifyRequest& request) { request.set_request_id(std::string(size, 'i')); });
  }
}

void AddModels(ClassifyTable& table) {
  const std::string served = "; served: first/1, first/2, second/1";
  const auto add_unknown = [&](const std::string& name, const std::string& shown) {
    table.push_back({"model " + shown,
                     [name](ClassifyRequest& request) { request.set_model_name(name); },
                     grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("no model named ", shown, " is served", served), ""});
  };
  for (const std::string name :
       {"third", "First", "first ", " first", "first/1", "../first", "*"}) {
    add_unknown(name, "'" + name + "'");
  }
  add_unknown("a\nb", "'a\\nb'");
  add_unknown(std::string("first\0", 6), "'first\\x00'");
  add_unknown(std::string(1000, 'x'), "'" + std::string(128, 'x') + "...'");
  AddInvalid<ClassifyRequest>(
      table, "no model", "model_name",
      "expected a name because several models are served, got none" + served,
      [](ClassifyRequest& request) { request.clear_model_name(); });
  for (const std::int64_t version : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    AddInvalid<ClassifyRequest>(
        table, absl::StrCat("version ", version), "model_version",
        absl::StrCat("expected a positive version, or 0 for the default, got ", version),
        [version](ClassifyRequest& request) { request.set_model_version(version); });
  }
  for (const std::int64_t version : {std::int64_t{3}, std::numeric_limits<std::int64_t>::max()}) {
    table.push_back({absl::StrCat("version ", version),
                     [version](ClassifyRequest& request) { request.set_model_version(version); },
                     grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("no version ", version, " of model 'first' is served", served),
                     ""});
  }
  for (const std::string label : {"stable", "1", "\u00e4"}) {
    const std::string shown = label == "\u00e4" ? "\\xc3\\xa4" : label;
    table.push_back({"label " + label,
                     [label](ClassifyRequest& request) { request.set_model_label(label); },
                     grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("no version of model 'first' is labelled '", shown,
                                  "'; labels: none", served),
                     ""});
  }
  AddInvalid<ClassifyRequest>(table, "version and label", "model_version and model_label",
                              "expected at most one of them, got 1 and 'stable'",
                              [](ClassifyRequest& request) {
                                request.set_model_version(1);
                                request.set_model_label("stable");
                              });
}

std::string FieldOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::BadRequest bad;
  if (!details.ParseFromString(status.error_details()) || details.details().empty() ||
      !details.details(0).UnpackTo(&bad) || bad.field_violations_size() != 1) {
    return "";
  }
  return bad.field_violations(0).field();
}

TEST(MalformedClassifyTest, EachIsRefusedWithItsCodeItsMessageAndItsField) {
  TemporaryModels folder;
  folder.Add("first", "1", SmallModel(1));
  folder.Add("first", "2", SmallModel(2));
  folder.Add("second", "1", SmallModel(3));
  ServerOptions options = TestOptions(folder);
  options.max_images_per_call = kMaxImages;
  TestServer server(options);
  ClassifyTable table;
  AddShapes(table);
  AddData(table);
  AddEnums(table);
  AddOptions(table);
  AddModels(table);
  EXPECT_GE(table.size(), 150U);
  for (const MalformedRequest<ClassifyRequest>& row : table) {
    ClassifyRequest request = GoodClassifyRequest();
    row.spoil(request);
    const grpc::Status status = server.Classify(request);
    EXPECT_EQ(status.error_code(), row.code) << row.name;
    EXPECT_EQ(status.error_message(), row.message) << row.name;
    EXPECT_EQ(FieldOf(status), row.field) << row.name;
  }
  EXPECT_TRUE(server.Classify(GoodClassifyRequest()).ok());  // none of them has broken anything
}

}  // namespace
}  // namespace lipserve
