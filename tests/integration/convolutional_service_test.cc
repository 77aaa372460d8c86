// SPDX-License-Identifier: Apache-2.0
// A network of convolutions and pools from MNIST to served answers, with every kind of layer on
// images in it.
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/classifier_client.h"
#include "client/image_input.h"
#include "gtest/gtest.h"
#include "model/certified_model.h"
#include "tests/integration/child_process.h"
#include "tests/integration/demo_service.h"
#include "tests/model/layer_definition.h"

namespace lipserve {
namespace {

constexpr char kConvolutionalRecipe[] = R"(name: "conv"
dataset { idx {} classes: [0, 8] class_names: ["0", "8"] pixel_divisor: 255 }
layers { convolution { filters: 4 kernel_size: 3 stride: 2 use_bias: true
                       padding_mode: PADDING_MODE_REFLECT spectral {} } }
layers { group_sort { group_size: 2 } }
layers { scaled_l2_norm_pool {} }
layers { convolution { filters: 8 kernel_size: 3 use_bias: true
                       spectral { method: ORTHOGONAL_METHOD_RETRACTION } } }
layers { full_sort {} }
layers { scaled_average_pool { pool_size: [7, 1] } }
layers { flatten {} }
layers { spectral_dense { units: 16 use_bias: true } }
layers { group_sort { group_size: 2 } }
layers { frobenius_dense { units: 1 } }
loss { hkr { alpha: 10 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT
             min_margin: 0.5 margin_convention: MARGIN_CONVENTION_FULL } }
optimizer { adam { learning_rate: 0.01 } }
batch_size: 128
epochs: 3
)";
// The score of one image by the layers' definitions, in float64.
double ScoreByDefinition(const FrozenNetwork& network, const float* image) {
  std::vector<double> x(image, image + network.input_shape.size());
  SampleShape shape = network.input_shape;
  for (const FrozenLayer& layer : network.layers) {
    x = std::visit(LayerDefinition<double>{x, shape}, layer);
    shape = OutputShape(layer, shape);
  }
  return x.at(0);
}

class ConvolutionalServiceTest : public ::testing::Test {
 protected:
  std::string ModelPath() const { return folder_.path("models/conv/1/model.lip"); }

  void Train() const {
    const std::string recipe = folder_.path("conv.textproto");
    WriteBytes(recipe, kConvolutionalRecipe);
    const FinishedProgram training =
        RunProgram({ProgramsFolder() + "/lipserve-train", "train", "--recipe", recipe, "--data",
                    SourcePath("data/mnist"), "--out", folder_.path("models/conv/1")});
    ASSERT_EQ(training.exit_code, 0) << training.error;
  }

  TemporaryFolder folder_;
};

TEST_F(ConvolutionalServiceTest, TrainsOnMnistFreezesAndServesWhatTheFileMeans) {
  Train();
  auto file = ReadModelFile(ModelPath());
  ASSERT_TRUE(file.ok()) << file.status();
  const FrozenNetwork network = file->network;
  const auto model = CertifiedModel::Create(*std::move(file), 64);
  ASSERT_TRUE(model.ok()) << model.status();
  // Each layer's norm is proven at most 1, but for the rounding of its weights to float32.
  for (const double bound : (*model)->layer_lipschitz_bounds()) EXPECT_LE(bound, 1.0 + 1e-6);

  const auto server = StartServer(folder_.path("models"));
  ASSERT_TRUE(server.ok()) << server.status();
  ClassifierClient client({.address = server->grpc_address, .timeout = absl::Seconds(60)});
  const ImageSet images = ZerosAndEights(/*as_float=*/true, 400);
  const auto answers = client.ClassifyInPieces(images.ToBatch(), {.epsilon = 0.25}, 200);
  ASSERT_TRUE(answers.ok()) << answers.status();
  ASSERT_EQ(answers->classifications_size(), 400);

  const auto worker = (*model)->NewWorker();
  std::vector<float> image(kDigitShape.size());
  int right = 0;
  int certified = 0;
  for (int i = 0; i < answers->classifications_size(); ++i) {
    const v1::Classification& answer = answers->classifications(i);
    std::memcpy(image.data(),
                images.data.data() + static_cast<std::size_t>(i) * image.size() * sizeof(float),
                image.size() * sizeof(float));
    std::vector<Answer> expected(1);
    (*model)->Classify({image.data(), 1, image.size()}, *worker, expected);
    ASSERT_EQ(answer.class_index(), static_cast<std::int64_t>(expected[0].class_index)) << i;
    ASSERT_EQ(answer.certified_radius_l2(), expected[0].radius_l2) << i;
    const double score = ScoreByDefinition(network, image.data());
    ASSERT_NEAR(static_cast<double>(answer.scores(0)), score, 1e-6 * (1.0 + std::abs(score))) << i;
    const bool is_right =
        answer.label() == absl::StrCat(images.origins[static_cast<std::size_t>(i)].label.value());
    right += is_right ? 1 : 0;
    certified += is_right && answer.certified_at_epsilon() ? 1 : 0;
  }
  // Chance is 200; measured 368 and 337.
  EXPECT_GE(right, 350);
  EXPECT_GE(certified, 310);
}

}  // namespace
}  // namespace lipserve
