// SPDX-License-Identifier: Apache-2.0
//
// Classifies one image and prints the class and its certificate.
//
// Install the client library, build this folder against it, and run it beside a server:
//   cmake --install build/release --prefix "$HOME/lipserve"
//   cmake -S client/examples -B build/examples -DCMAKE_PREFIX_PATH="$HOME/lipserve"
//   cmake --build build/examples
//   build/examples/classify 127.0.0.1:8001
#include <iomanip>
#include <iostream>
#include <string>

#include "client/classifier_client.h"

namespace {

constexpr int kSide = 28;
constexpr double kEpsilon = 100.0;  // in pixel steps, L2

// A white ring on black: a handwritten zero, more or less.
lipserve::v1::ImageBatch DrawRing() {
  std::string pixels;  // one byte each, row by row
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const int distance_squared = (x - 14) * (x - 14) + (y - 14) * (y - 14);
      pixels += 36 <= distance_squared && distance_squared <= 81 ? '\xff' : '\0';
    }
  }
  lipserve::v1::ImageBatch images;
  images.set_element_type(lipserve::v1::ELEMENT_TYPE_UINT8);
  for (const int size : {1, 1, kSide, kSide}) images.add_shape(size);  // [N, C, H, W]
  images.set_data(pixels);
  return images;
}

}  // namespace

int main(int argc, char** argv) {
  const lipserve::ClassifierClient client({.address = argc > 1 ? argv[1] : "127.0.0.1:8001"});
  // No model is named: the server's only one answers. Else: .model = {.name = "mnist08"}.
  const auto answer = client.Classify(DrawRing(), {.epsilon = kEpsilon});
  if (!answer.ok()) {
    std::cerr << answer.status().message() << '\n';  // ADDRESS: Classify: CODE: why
    return 1;
  }
  const lipserve::v1::Classification& image = answer->classifications(0);
  std::cout << std::setprecision(17)  // all digits: rounding must not enlarge a proven number
            << "class     " << image.label() << '\n'
            << "margin    " << image.margin() << '\n'
            << "radius    " << image.certified_radius_l2() << " pixel steps (L2)\n"
            << "certified " << (image.certified_at_epsilon() ? "yes" : "no") << ", at " << kEpsilon
            << '\n';
  return 0;
}
