// SPDX-License-Identifier: Apache-2.0
// Recognises an image with padding, however that is spelled: Pad, slices that are joined, an index
// that repeats numbers.
#ifndef TRAINER_EXCHANGE_IMPORT_PADDED_IMAGE_H_
#define TRAINER_EXCHANGE_IMPORT_PADDED_IMAGE_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "model/network/frozen_network.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

struct PaddedImage {
  std::vector<std::size_t> channels;  // of the source, for each channel of the view
  WindowAxis vertical;                // paddings only
  WindowAxis horizontal;
  PaddingMode mode = PaddingMode::kZero;

  bool HasPadding() const {
    return vertical.padding_before + vertical.padding_after + horizontal.padding_before +
               horizontal.padding_after >
           0;
  }
};

// The view as a source of shape `shape` with padding around it; none if it is not one. Constants
// count as zero padding, whatever their value.
//
// Requires: view.dims has three axes.
std::optional<PaddedImage> AsPaddedImage(const View& view, const SampleShape& shape);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_PADDED_IMAGE_H_
