// SPDX-License-Identifier: Apache-2.0
// Classifies one white image.
#include <iostream>
#include <string>

#include "client/classifier_client.h"

int main(int argc, char** argv) {
  const lipserve::ClassifierClient client({.address = argc > 1 ? argv[1] : "127.0.0.1:8001"});
  lipserve::v1::ImageBatch images;
  images.set_element_type(lipserve::v1::ELEMENT_TYPE_UINT8);
  images.add_shape(1);
  images.add_shape(784);
  images.set_data(std::string(784, '\xff'));
  const auto answer = client.Classify(images, {});
  if (!answer.ok()) {
    std::cerr << answer.status() << '\n';
    return 1;
  }
  std::cout << answer->classifications(0).certified_radius_l2() << '\n';
  return 0;
}
