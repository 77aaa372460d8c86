// SPDX-License-Identifier: Apache-2.0
// Every malformed request of the Open Inference Protocol that we could think of, sent to a server
// over loopback, as a call of its own and on a stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/server/infer_request.h"
#include "tests/server/malformed_requests.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using inference::ModelInferRequest;
using ::testing::HasSubstr;
using InferTable = MalformedRequests<ModelInferRequest>;
using Contents = inference::InferTensorContents;

// Two images.
ModelInferRequest GoodInferRequest() { return RawInferRequest("first", RandomInputs(7, 2)); }

void SetShape(ModelInferRequest& request, const Shape& shape) {
  request.mutable_inputs(0)->mutable_shape()->Assign(shape.begin(), shape.end());
}

// The elements of two good images in `contents` instead of raw_input_contents.
void MakeTyped(ModelInferRequest& request, bool uint8) {
  request.clear_raw_input_contents();
  Contents& contents = *request.mutable_inputs(0)->mutable_contents();
  request.mutable_inputs(0)->set_datatype(uint8 ? "UINT8" : "FP32");
  for (std::size_t i = 0; i < 2 * kSmallInputSize; ++i) {
    if (uint8) {
      contents.add_uint_contents(static_cast<std::uint32_t>(i));
    } else {
      contents.add_fp32_contents(0.25F);
    }
  }
}

void AddShapes(InferTable& table) {
  for (const bool typed : {false, true}) {
    for (const Shape& shape : WrongShapes()) {
      AddInvalid<ModelInferRequest>(
          table, absl::StrCat(typed ? "typed" : "raw", " shape ", TextOf(shape)), "inputs[0].shape",
          ShapeExpected(shape), [=](ModelInferRequest& request) {
            if (typed) MakeTyped(request, false);
            SetShape(request, shape);
          });
    }
    for (const Shape& shape : LargeShapes()) {
      AddInvalid<ModelInferRequest>(
          table, absl::StrCat(typed ? "typed" : "raw", " images ", TextOf(shape)),
          "inputs[0].shape", FewerImagesExpected(shape), [=](ModelInferRequest& request) {
            if (typed) MakeTyped(request, false);
            SetShape(request, shape);
          });
    }
  }
}

void AddRawData(InferTable& table) {
  for (const std::string type : {"FP32", "UINT8"}) {
    const std::size_t bytes = type == "FP32" ? 128 : 32;
    for (const std::size_t size :
         {0UL, 1UL, 4UL, bytes / 2, bytes - 1, bytes + 1, 2 * bytes, 100000UL}) {
      AddInvalid<ModelInferRequest>(
          table, absl::StrCat(type, " of ", size), "raw_input_contents[0]",
          absl::StrCat("expected ", bytes, " bytes for shape [2, 16] of ", type, ", got ", size),
          [=](ModelInferRequest& request) {
            request.mutable_inputs(0)->set_datatype(type);
            request.set_raw_input_contents(0, std::string(size, '\1'));
          });
    }
  }
  ForEachNotFinite([&table](const std::string& name, const std::string& description,
                            std::size_t index, float value) {
    AddInvalid<ModelInferRequest>(
        table, name, "raw_input_contents[0]", description, [=](ModelInferRequest& request) {
          std::memcpy(request.mutable_raw_input_contents(0)->data() + index * sizeof(float), &value,
                      sizeof(float));
        });
    AddInvalid<ModelInferRequest>(
        table, "typed " + name, "inputs[0].contents.fp32_contents", description,
        [=](ModelInferRequest& request) {
          MakeTyped(request, false);
          request.mutable_inputs(0)->mutable_contents()->set_fp32_contents(static_cast<int>(index),
                                                                           value);
        });
  });
  for (const int count : {2, 3, 100}) {
    AddInvalid<ModelInferRequest>(table, absl::StrCat(count, " raw"), "raw_input_contents",
                                  absl::StrCat("expected one entry for the one input, got ", count),
                                  [count](ModelInferRequest& request) {
                                    while (request.raw_input_contents_size() < count) {
                                      request.add_raw_input_contents(request.raw_input_contents(0));
                                    }
                                  });
  }
}

// Puts something into each field of `contents`.
const std::vector<std::pair<std::string, void (*)(Contents&)>> kContents = {
    {"bool_contents", [](Contents& contents) { contents.add_bool_contents(true); }},
    {"int_contents", [](Contents& contents) { contents.add_int_contents(1); }},
    {"int64_contents", [](Contents& contents) { contents.add_int64_contents(1); }},
    {"uint_contents", [](Contents& contents) { contents.add_uint_contents(1); }},
    {"uint64_contents", [](Contents& contents) { contents.add_uint64_contents(1); }},
    {"fp32_contents", [](Contents& contents) { contents.add_fp32_contents(1.0F); }},
    {"fp64_contents", [](Contents& contents) { contents.add_fp64_contents(1.0); }},
    {"bytes_contents", [](Contents& contents) { contents.add_bytes_contents("1"); }}};

void AddTypedData(InferTable& table) {
  for (const auto& [name, add] : kContents) {
    AddInvalid<ModelInferRequest>(table, "raw and " + name, "inputs[0].contents",
                                  "expected none, because raw_input_contents has the elements",
                                  [fill = add](ModelInferRequest& request) {
                                    fill(*request.mutable_inputs(0)->mutable_contents());
                                  });
    for (const bool uint8 : {false, true}) {
      const std::string used = uint8 ? "uint_contents" : "fp32_contents";
      const std::string type = uint8 ? "UINT8" : "FP32";
      if (name == used) continue;
      for (const bool also : {false, true}) {
        AddInvalid<ModelInferRequest>(
            table, absl::StrCat(type, also ? " and " : " in ", name), "inputs[0].contents",
            absl::StrCat("expected the elements of ", type, " in ", used, ", got ", name),
            [=, fill = add](ModelInferRequest& request) {
              MakeTyped(request, uint8);
              if (!also) request.mutable_inputs(0)->clear_contents();
              fill(*request.mutable_inputs(0)->mutable_contents());
            });
      }
    }
  }
  for (const bool uint8 : {false, true}) {
    const std::string used = uint8 ? "uint_contents" : "fp32_contents";
    AddInvalid<ModelInferRequest>(
        table, "nothing in " + used, "inputs[0]",
        "expected elements in raw_input_contents[0] or contents." + used + ", got none",
        [uint8](ModelInferRequest& request) {
          MakeTyped(request, uint8);
          request.mutable_inputs(0)->clear_contents();
        });
    for (const int count : {2, 16, 31, 33, 64}) {
      AddInvalid<ModelInferRequest>(
          table, absl::StrCat(count, " in ", used), "inputs[0].contents." + used,
          uint8 ? absl::StrCat("expected 32 bytes for shape [2, 16] of UINT8, got ", count)
                : absl::StrCat("expected 128 bytes for shape [2, 16] of FP32, got ", 4 * count),
          [=](ModelInferRequest& request) {
            MakeTyped(request, uint8);
            Contents& contents = *request.mutable_inputs(0)->mutable_contents();
            if (uint8) contents.mutable_uint_contents()->Resize(count, 1);
            if (!uint8) contents.mutable_fp32_contents()->Resize(count, 1.0F);
          });
    }
  }
  for (const std::uint32_t pixel : {256U, 257U, 65536U, 0xFFFFFFFFU}) {
    AddInvalid<ModelInferRequest>(
        table, absl::StrCat("pixel ", pixel), "inputs[0].contents.uint_contents",
        absl::StrCat("expected pixels 0..255, got ", pixel, " at element 5"),
        [pixel](ModelInferRequest& request) {
          MakeTyped(request, true);
          request.mutable_inputs(0)->mutable_contents()->set_uint_contents(5, pixel);
        });
  }
}

void AddInputs(InferTable& table) {
  AddInvalid<ModelInferRequest>(table, "no input", "inputs",
                                "expected the tensor 'images', got none",
                                [](ModelInferRequest& request) { request.clear_inputs(); });
  for (const std::string name :
       {"", "Images", "image", "images ", "input", "INPUT__0", "images:0"}) {
    AddInvalid<ModelInferRequest>(
        table, "input " + name, "inputs[0].name", "expected 'images', got '" + name + "'",
        [name](ModelInferRequest& request) { request.mutable_inputs(0)->set_name(name); });
  }
  for (const std::string name : {"images", "mask"}) {
    AddInvalid<ModelInferRequest>(table, "two inputs " + name, "inputs",
                                  "expected only the tensor 'images', got 2 tensors",
                                  [name](ModelInferRequest& request) {
                                    *request.add_inputs() = request.inputs(0);
                                    request.mutable_inputs(1)->set_name(name);
                                  });
  }
  for (const std::string type :
       {"", "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT16", "UINT32", "UINT64", "FP16", "BF16",
        "FP64", "BYTES", "fp32", "uint8", "FLOAT", "TYPE_FP32", "FP32 "}) {
    AddInvalid<ModelInferRequest>(
        table, "datatype " + type, "inputs[0].datatype",
        "expected 'FP32' (in the scale that the model was trained on) or 'UINT8' (pixels 0..255), "
        "got '" +
            type + "'",
        [type](ModelInferRequest& request) { request.mutable_inputs(0)->set_datatype(type); });
  }
}

void AddOutputs(InferTable& table) {
  for (const std::string name : {"", "Scores", "radii", "logits", "OUTPUT__0", "label"}) {
    AddInvalid<ModelInferRequest>(
        table, "output " + name, "outputs[1].name",
        "expected scores, class, radius, margin or certified, got '" + name + "'",
        [name](ModelInferRequest& request) {
          request.add_outputs()->set_name("scores");
          request.add_outputs()->set_name(name);
        });
  }
  for (const std::string name : {"scores", "class", "radius", "margin", "certified"}) {
    AddInvalid<ModelInferRequest>(table, "twice " + name, "outputs[1].name",
                                  "expected each output once, got '" + name + "' again",
                                  [name](ModelInferRequest& request) {
                                    request.add_outputs()->set_name(name);
                                    request.add_outputs()->set_name(name);
                                  });
    if (name == "scores") continue;
    AddInvalid<ModelInferRequest>(
        table, "classification of " + name, "outputs[0].parameters['classification']",
        "expected it for 'scores' only, got it for '" + name + "'",
        [name](ModelInferRequest& request) {
          request.add_outputs()->set_name(name);
          (*request.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(1);
        });
  }
}

void AddSharedMemory(InferTable& table) {
  for (const std::string name :
       {"shared_memory_region", "shared_memory_offset", "shared_memory_byte_size"}) {
    for (const bool output : {false, true}) {
      table.push_back({absl::StrCat(name, output ? " of an output" : ""),
                       [=](ModelInferRequest& request) {
                         request.add_outputs()->set_name("scores");
                         auto& parameters = output
                                                ? *request.mutable_outputs(0)->mutable_parameters()
                                                : *request.mutable_inputs(0)->mutable_parameters();
                         parameters[name].set_string_param("region");
                       },
                       grpc::StatusCode::UNIMPLEMENTED,
                       absl::StrCat(output ? "outputs" : "inputs", "[0].parameters['", name,
                                    "']: this server has no shared memory; send the elements in "
                                    "raw_input_contents, and read the answers from "
                                    "raw_output_contents"),
                       ""});
    }
  }
}

using Parameter = inference::InferParameter;

struct WrongParameter {
  std::string text;  // in messages
  void (*set)(Parameter&);
};

const std::vector<WrongParameter> kNoNumbers = {
    {"no value", [](Parameter& parameter) { parameter.Clear(); }},
    {"the bool true", [](Parameter& parameter) { parameter.set_bool_param(true); }},
    {"the bool false", [](Parameter& parameter) { parameter.set_bool_param(false); }},
    {"''", [](Parameter& parameter) { parameter.set_string_param(""); }},
    {"'one'", [](Parameter& parameter) { parameter.set_string_param("one"); }},
    {"'1,5'", [](Parameter& parameter) { parameter.set_string_param("1,5"); }},
    {"'1x'", [](Parameter& parameter) { parameter.set_string_param("1x"); }}};

// Also not whole, or out of range.
const std::vector<WrongParameter> kNoCounts = {
    {"-1", [](Parameter& parameter) { parameter.set_int64_param(-1); }},
    {"'-1'", [](Parameter& parameter) { parameter.set_string_param("-1"); }},
    {"'1.5'", [](Parameter& parameter) { parameter.set_string_param("1.5"); }},
    {"1.5", [](Parameter& parameter) { parameter.set_double_param(1.5); }},
    {"18446744073709551615",
     [](Parameter& parameter) { parameter.set_uint64_param(18446744073709551615U); }},
    {"'99999999999999999999'",
     [](Parameter& parameter) { parameter.set_string_param("99999999999999999999"); }}};

void AddParameter(InferTable& table, const std::string& name, const std::string& expected,
                  const WrongParameter& wrong) {
  AddInvalid<ModelInferRequest>(table, name + " " + wrong.text, "parameters['" + name + "']",
                                "expected " + expected + ", got " + wrong.text,
                                [name, set = wrong.set](ModelInferRequest& request) {
                                  set((*request.mutable_parameters())[name]);
                                });
}

void AddParameters(InferTable& table) {
  for (const auto& [epsilon, text] : WrongEpsilons()) {
    AddInvalid<ModelInferRequest>(
        table, "epsilon " + text, "parameters['epsilon']",
        "expected a finite L2 radius that is not negative, got " + text,
        [value = epsilon](ModelInferRequest& request) {
          (*request.mutable_parameters())["epsilon"].set_double_param(value);
        });
  }
  const std::string timeout = "0 to 86400000000 microseconds";
  for (const WrongParameter& wrong : kNoNumbers) {
    AddParameter(table, "epsilon", "a number", wrong);
    AddParameter(table, "timeout", timeout, wrong);
    AddParameter(table, "radius_precision", "'TIGHT' or 'FAST'", wrong);
  }
  for (const WrongParameter& wrong : kNoCounts) {
    AddParameter(table, "timeout", timeout, wrong);
    AddParameter(table, "radius_precision", "'TIGHT' or 'FAST'", wrong);
  }
  AddParameter(table, "timeout", timeout, {"86400000001", [](Parameter& parameter) {
                                             parameter.set_int64_param(86400000001);
                                           }});
  const std::string priorities = "1 (computed first) to 5, or 0 for 3";
  AddParameter(table, "priority", priorities,
               {"-1", [](Parameter& parameter) { parameter.set_int64_param(-1); }});
  AddParameter(table, "priority", priorities,
               {"6", [](Parameter& parameter) { parameter.set_uint64_param(6); }});
  AddParameter(table, "priority", "0 to 5",
               {"'urgent'", [](Parameter& parameter) { parameter.set_string_param("urgent"); }});
  AddParameter(table, "radius_precision", "'TIGHT' or 'FAST'",
               {"'tight'", [](Parameter& parameter) { parameter.set_string_param("tight"); }});
  std::vector<WrongParameter> no_classes = kNoNumbers;
  no_classes.insert(no_classes.end(), kNoCounts.begin(), kNoCounts.end());
  no_classes.push_back({"0", [](Parameter& parameter) { parameter.set_int64_param(0); }});
  for (const WrongParameter& wrong : no_classes) {
    AddInvalid<ModelInferRequest>(
        table, "classification " + wrong.text, "outputs[0].parameters['classification']",
        "expected a number of classes, at least 1, got " + wrong.text,
        [set = wrong.set](ModelInferRequest& request) {
          request.add_outputs()->set_name("scores");
          set((*request.mutable_outputs(0)->mutable_parameters())["classification"]);
        });
  }
}

void AddUnknownParameters(InferTable& table) {
  const std::string known = "expected epsilon, radius_precision, timeout or priority";
  const std::pair<std::string, std::string> names[] = {
      {"epsilom", "; did you mean epsilon?"},
      {"Epsilon", "; did you mean epsilon?"},
      {"radius-precision", "; did you mean radius_precision?"},
      {"time_out", "; did you mean timeout?"},
      {"prioritty", "; did you mean priority?"},
      {"temperature", ""},
      {"triton_something", ""},
      {"", ""}};
  for (const auto& [name, hint] : names) {
    AddInvalid<ModelInferRequest>(table, "parameter " + name, "parameters['" + name + "']",
                                  known + hint, [key = name](ModelInferRequest& request) {
                                    (*request.mutable_parameters())[key].set_int64_param(1);
                                  });
  }
  for (const std::string name : {"sequence_id", "sequence_start", "sequence_end"}) {
    AddInvalid<ModelInferRequest>(
        table, "parameter " + name, "parameters['" + name + "']",
        "expected none: classifiers keep nothing from one request to the next",
        [name](ModelInferRequest& request) {
          (*request.mutable_parameters())[name].set_int64_param(1);
        });
  }
  for (const std::size_t size : {129UL, 1000UL}) {
    AddInvalid<ModelInferRequest>(
        table, absl::StrCat("id of ", size), "id",
        absl::StrCat("expected at most 128 bytes, got ", size),
        [size](ModelInferRequest& request) { request.set_id(std::string(size, 'i')); });
  }
}

void AddModels(InferTable& table) {
  const std::string served = "; served: first/1, first/2, second/1";
  for (const std::string name : {"third", "First", "first ", "first/1", "../first"}) {
    table.push_back({"model " + name,
                     [name](ModelInferRequest& request) { request.set_model_name(name); },
                     grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("no model named '", name, "' is served", served), ""});
  }
  AddInvalid<ModelInferRequest>(
      table, "no model", "model_name",
      "expected a name because several models are served, got none" + served,
      [](ModelInferRequest& request) { request.clear_model_name(); });
  for (const std::string version : {"0", "-1", "+1", "1.0", "1a", " 1", "1 ", "_", "-", "0x1",
                                    "9223372036854775808", "99999999999999999999"}) {
    AddInvalid<ModelInferRequest>(
        table, "version " + version, "model_version",
        "expected a positive number, a label, or nothing for the model's default, "
        "got '" +
            version + "'",
        [version](ModelInferRequest& request) { request.set_model_version(version); });
  }
  for (const std::string version : {"3", "9223372036854775807"}) {
    table.push_back({"version " + version,
                     [version](ModelInferRequest& request) { request.set_model_version(version); },
                     grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("no version ", version, " of model 'first' is served", served),
                     ""});
  }
  for (const std::string label : {"stable", "canary", "latest", "v1"}) {
    table.push_back({"label " + label,
                     [label](ModelInferRequest& request) { request.set_model_version(label); },
                     grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("no version of model 'first' is labelled '", label,
                                  "'; labels: none", served),
                     ""});
  }
}

class MalformedInferenceTest : public ::testing::Test {
 protected:
  MalformedInferenceTest() {
    folder_.Add("first", "1", SmallModel(1));
    folder_.Add("first", "2", SmallModel(2));
    folder_.Add("second", "1", SmallModel(3));
    ServerOptions options = TestOptions(folder_);
    options.max_images_per_call = kMaxImages;
    server_ = std::make_unique<TestServer>(options);
    for (const auto add : {AddShapes, AddRawData, AddTypedData, AddInputs, AddOutputs,
                           AddSharedMemory, AddParameters, AddUnknownParameters, AddModels}) {
      add(table_);
    }
  }

  grpc::Status Infer(const ModelInferRequest& request) {
    grpc::ClientContext context;
    inference::ModelInferResponse response;
    return server_->inference().ModelInfer(&context, request, &response);
  }

  TemporaryModels folder_;
  std::unique_ptr<TestServer> server_;
  InferTable table_;
};

TEST_F(MalformedInferenceTest, EachIsRefusedWithItsCodeAndItsMessage) {
  EXPECT_GE(table_.size(), 350U);
  for (const MalformedRequest<ModelInferRequest>& row : table_) {
    ModelInferRequest request = GoodInferRequest();
    row.spoil(request);
    const grpc::Status status = Infer(request);
    EXPECT_EQ(status.error_code(), row.code) << row.name;
    EXPECT_EQ(status.error_message(), row.message) << row.name;
  }
  EXPECT_TRUE(Infer(GoodInferRequest()).ok());  // none of them has broken anything
}

TEST_F(MalformedInferenceTest, EachIsToldOnAStreamThatGoesOn) {
  grpc::ClientContext context;
  const auto stream = server_->inference().ModelStreamInfer(&context);
  for (const MalformedRequest<ModelInferRequest>& row : table_) {
    ModelInferRequest request = GoodInferRequest();
    row.spoil(request);
    ASSERT_TRUE(stream->Write(request));
    inference::ModelStreamInferResponse response;
    ASSERT_TRUE(stream->Read(&response)) << row.name;
    EXPECT_THAT(response.error_message(), HasSubstr(": " + row.message)) << row.name;
  }
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(stream->Write(GoodInferRequest()));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error_message(), "");
}

}  // namespace
}  // namespace lipserve
