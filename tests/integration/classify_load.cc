// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/classify_load.h"

namespace lipserve {

ClassifyLoad::ClassifyLoad(const std::string& address, int threads)
    : client_({.address = address, .timeout = absl::Seconds(60)}) {
  image_.set_element_type(v1::ELEMENT_TYPE_UINT8);
  for (const std::int64_t axis : {1, 1, 28, 28}) image_.add_shape(axis);
  image_.set_data(std::string(784, '\0'));
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

void ClassifyLoad::WaitForAnswers(int more) {
  const int enough = answered_ + more;
  while (answered_ < enough && errors().empty()) std::this_thread::yield();
}

bool ClassifyLoad::WaitForVersion(std::int64_t version) {
  const int most = answered_ + 100'000;
  while (last_version_ != version) {
    if (answered_ > most || !errors().empty()) return false;
    std::this_thread::yield();
  }
  return true;
}

void ClassifyLoad::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::vector<std::string> ClassifyLoad::errors() {
  MutexLock lock(mutex_);
  return errors_;
}

void ClassifyLoad::Run() {
  while (!stop_) {
    const auto answer = client_.Classify(image_, {});
    if (answer.ok()) {
      last_version_ = answer->model().version();
      ++answered_;
    } else {
      MutexLock lock(mutex_);
      errors_.push_back(std::string(answer.status().message()));
    }
  }
}

}  // namespace lipserve
