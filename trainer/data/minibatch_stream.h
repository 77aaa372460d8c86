// SPDX-License-Identifier: Apache-2.0
// Minibatches of scaled and augmented samples. Another thread prepares the next one while this one
// is used.
//
// Example:
//   MinibatchStream stream(data.train, PixelScaling(255.0), 128);
//   stream.Begin(ShuffledOrder(data.train.size(), seed, epoch), epoch);
//   while (const Minibatch* batch = stream.Next()) Step(*batch);
#ifndef TRAINER_DATA_MINIBATCH_STREAM_H_
#define TRAINER_DATA_MINIBATCH_STREAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/foundation/mutex.h"
#include "model/network/matrix_view.h"
#include "model/network/pixel_scaling.h"
#include "trainer/data/augmenter.h"
#include "trainer/data/dataset.h"

namespace lipserve::trainer {

// Samples of one step, scaled.
struct Minibatch {
  std::vector<float> values;         // [size(), sample_size]
  std::vector<std::int32_t> labels;  // [size()]
  std::size_t sample_size = 0;

  std::size_t size() const { return labels.size(); }
  ConstMatrixView inputs() const { return {values.data(), labels.size(), sample_size}; }
};

// Cuts an order of samples into minibatches; the last one may be smaller.
//
// Guarantee: the minibatches depend only on the samples, the scaling, the mean, the augmenter's
//            options and Begin's arguments.
// Threads:   one consumer thread; the stream owns its producer and joins it when destroyed.
class MinibatchStream {
 public:
  // `augmenter`, if any, changes every scaled sample; then `mean` is subtracted, if not empty.
  //
  // Requires: batch_size >= 1; `samples` outlives the stream.
  MinibatchStream(const Samples& samples, const PixelScaling& scaling, std::size_t batch_size,
                  std::vector<float> mean = {}, std::unique_ptr<Augmenter> augmenter = nullptr);
  ~MinibatchStream();
  MinibatchStream(const MinibatchStream&) = delete;
  MinibatchStream& operator=(const MinibatchStream&) = delete;

  // Starts over with the samples that `order` names, as the augmenter changes them in `epoch`.
  //
  // Requires: Next has returned null since the last Begin, or there was none.
  void Begin(std::vector<std::uint32_t> order, std::int64_t epoch = 0);

  // The next minibatch, valid until the next call, or null after the last.
  const Minibatch* Next();

 private:
  static constexpr std::size_t kSlots = 2;  // one in use, one being prepared

  void Produce();
  void Fill(std::size_t index, Minibatch& batch) const;

  const Samples& samples_;
  const PixelScaling scaling_;
  const std::size_t batch_size_;
  const std::vector<float> mean_;
  const std::unique_ptr<Augmenter> augmenter_;  // used by the producer alone
  // Begin writes these while the producer is idle; the producer reads them. Both hold the mutex to
  // change or read total_, which orders the two. In the same way the counters decide whether a slot
  // belongs to the producer or to the consumer.
  std::vector<std::uint32_t> order_;
  std::int64_t epoch_ = 0;
  std::array<Minibatch, kSlots> slots_;

  Mutex mutex_;
  CondVar changed_;
  std::size_t total_ ABSL_GUARDED_BY(mutex_) = 0;     // minibatches of this order
  std::size_t produced_ ABSL_GUARDED_BY(mutex_) = 0;  // filled
  std::size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;     // handed to the consumer
  std::size_t released_ ABSL_GUARDED_BY(mutex_) = 0;  // given back by the consumer
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread producer_;  // last: starts when everything else is ready
};

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_MINIBATCH_STREAM_H_
