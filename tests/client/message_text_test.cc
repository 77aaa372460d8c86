// SPDX-License-Identifier: Apache-2.0
#include "client/message_text.h"

#include "gtest/gtest.h"
#include "lipserve/v1/recipe.pb.h"

namespace lipserve {
namespace {

TEST(MessageTextTest, NamesWhatIsSetAndNothingElse) {
  v1::LayerSpec layer;
  layer.mutable_spectral_dense()->set_units(32);
  layer.mutable_spectral_dense()->set_use_bias(true);
  EXPECT_EQ(MessageText(layer), "spectral_dense(units 32, use_bias)");
  layer.mutable_flatten();
  EXPECT_EQ(MessageText(layer), "flatten");
  EXPECT_EQ(MessageText(v1::LayerSpec()), "");
}

TEST(MessageTextTest, EnumsLoseTheirPrefix) {
  v1::LossSpec loss;
  loss.mutable_hkr()->set_alpha(10.0);
  loss.mutable_hkr()->set_alpha_convention(v1::ALPHA_CONVENTION_HINGE_WEIGHT);
  loss.mutable_hkr()->set_min_margin(0.5);
  loss.mutable_hkr()->set_margin_convention(v1::MARGIN_CONVENTION_FULL);
  EXPECT_EQ(MessageText(loss),
            "hkr(alpha 10, alpha_convention hinge_weight, min_margin 0.5, margin_convention full)");
}

TEST(MessageTextTest, ListsRepeatedFields) {
  v1::DatasetSpec dataset;
  dataset.mutable_idx();
  dataset.add_classes(0);
  dataset.add_classes(8);
  dataset.set_pixel_divisor(255.0);
  EXPECT_EQ(MessageText(dataset), "idx, classes [0, 8], pixel_divisor 255");
}

TEST(MessageTextTest, ControlCharactersAreHarmless) {
  v1::Recipe recipe;
  recipe.set_name("a\x1b[2J");
  EXPECT_EQ(MessageText(recipe), "name a?[2J");
}

}  // namespace
}  // namespace lipserve
