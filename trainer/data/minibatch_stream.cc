// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/minibatch_stream.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace lipserve::trainer {

MinibatchStream::MinibatchStream(const Samples& samples, const PixelScaling& scaling,
                                 std::size_t batch_size, std::vector<float> mean,
                                 std::unique_ptr<Augmenter> augmenter)
    : samples_(samples),
      scaling_(scaling),
      batch_size_(batch_size),
      mean_(std::move(mean)),
      augmenter_(std::move(augmenter)),
      producer_([this] { Produce(); }) {
  assert(batch_size >= 1);
}

MinibatchStream::~MinibatchStream() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  producer_.join();
}

void MinibatchStream::Begin(std::vector<std::uint32_t> order, std::int64_t epoch) {
  const MutexLock lock(mutex_);
  assert(taken_ == total_);
  order_ = std::move(order);
  epoch_ = epoch;
  total_ = (order_.size() + batch_size_ - 1) / batch_size_;
  produced_ = 0;
  taken_ = 0;
  released_ = 0;
  changed_.NotifyAll();
}

const Minibatch* MinibatchStream::Next() {
  const MutexLock lock(mutex_);
  if (released_ < taken_) {
    ++released_;
    changed_.NotifyAll();
  }
  if (taken_ == total_) return nullptr;
  while (produced_ == taken_) changed_.Wait(mutex_);
  return &slots_[taken_++ % kSlots];
}

void MinibatchStream::Produce() {
  while (true) {
    std::size_t index = 0;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && (produced_ == total_ || produced_ - released_ == kSlots)) {
        changed_.Wait(mutex_);
      }
      if (stopping_) return;
      index = produced_;
    }
    Fill(index, slots_[index % kSlots]);
    const MutexLock lock(mutex_);
    ++produced_;
    changed_.NotifyAll();
  }
}

void MinibatchStream::Fill(std::size_t index, Minibatch& batch) const {
  const std::size_t begin = index * batch_size_;
  const std::size_t size = std::min(batch_size_, order_.size() - begin);
  batch.sample_size = samples_.shape.size();
  batch.values.resize(size * batch.sample_size);
  batch.labels.resize(size);
  const MatrixView rows{batch.values.data(), size, batch.sample_size};
  for (std::size_t r = 0; r < size; ++r) {
    const std::size_t sample = order_[begin + r];
    const std::span<float> values = rows.row(r);
    scaling_.Apply(samples_.image(sample), values);
    if (augmenter_) augmenter_->Apply(epoch_, sample, values);
    for (std::size_t p = 0; p < mean_.size(); ++p) values[p] -= mean_[p];
    batch.labels[r] = samples_.labels[sample];
  }
}

}  // namespace lipserve::trainer
