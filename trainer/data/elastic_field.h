// SPDX-License-Identifier: Apache-2.0
// A smooth random field of displacements, one for each pixel.
//
// Source: Simard, Steinkraus, Platt 2003, "Best practices for convolutional neural networks applied
//         to visual document analysis", section 2.
#ifndef TRAINER_DATA_ELASTIC_FIELD_H_
#define TRAINER_DATA_ELASTIC_FIELD_H_

#include <cstddef>
#include <vector>

#include "trainer/data/sample_random.h"

namespace lipserve::trainer {

// White noise smoothed by a Gaussian, scaled to a given root mean square.
//
// Shapes:    x, y: [height, width], displacements along the axes.
// Guarantee: the mean squares of x and of y are the requested ones, up to rounding.
class ElasticField {
 public:
  // `deviation` of the Gaussian in pixels; positive.
  ElasticField(std::size_t height, std::size_t width, double deviation);

  // Draws both components anew, with root mean square `pixels`.
  void Draw(double pixels, SampleRandom& random);

  const std::vector<double>& x() const { return x_; }
  const std::vector<double>& y() const { return y_; }

 private:
  void DrawOne(double pixels, SampleRandom& random, std::vector<double>& field);

  std::size_t height_;
  std::size_t width_;
  std::vector<double> taps_;  // of the Gaussian, from the centre outwards
  std::vector<double> x_;
  std::vector<double> y_;
  std::vector<double> rows_;  // smoothed along rows
};

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_ELASTIC_FIELD_H_
