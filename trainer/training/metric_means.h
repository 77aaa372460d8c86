// SPDX-License-Identifier: Apache-2.0
// Means over the minibatches of an epoch, as Keras forms them.
#ifndef TRAINER_TRAINING_METRIC_MEANS_H_
#define TRAINER_TRAINING_METRIC_MEANS_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// The loss is weighted by the size of its minibatch; the other metrics are plain means over
// minibatches, the last and smaller one included, so 10 * HingeMargin - KR need not equal the loss.
// KR is formed per minibatch: over the whole set it is about 0.01 higher on the demo.
class MetricMeans {
 public:
  // Requires: the same metrics in the same order on every call.
  void Add(double loss, std::size_t samples, std::span<const Metric> metrics) {
    if (batches_ == 0) {
      sums_.assign(metrics.begin(), metrics.end());
    } else {
      for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i].value += metrics[i].value;
    }
    loss_sum_ += loss * static_cast<double>(samples);
    samples_ += samples;
    ++batches_;
  }

  // "loss", then the others, each name behind `prefix`. Requires: Add was called.
  std::vector<Metric> Means(const std::string& prefix) const {
    std::vector<Metric> means;
    means.push_back({prefix + "loss", loss_sum_ / static_cast<double>(samples_)});
    for (const Metric& sum : sums_) {
      means.push_back({prefix + sum.name, sum.value / static_cast<double>(batches_)});
    }
    return means;
  }

 private:
  double loss_sum_ = 0.0;
  std::vector<Metric> sums_;
  std::size_t samples_ = 0;
  std::size_t batches_ = 0;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_METRIC_MEANS_H_
