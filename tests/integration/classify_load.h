// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_INTEGRATION_CLASSIFY_LOAD_H_
#define TESTS_INTEGRATION_CLASSIFY_LOAD_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "client/classifier_client.h"
#include "model/foundation/mutex.h"

namespace lipserve {

// Threads that classify one 28x28 image after the other with the client library's defaults, and
// keep every error.
//
// Threads: one thread at a time.
class ClassifyLoad {
 public:
  // Starts the threads.
  ClassifyLoad(const std::string& address, int threads);
  ~ClassifyLoad() { Stop(); }

  // Waits until so many more calls have been answered, or one has failed.
  void WaitForAnswers(int more);

  // Waits until version `version` has answered the last call. False if a call has failed, or if
  // a hundred thousand others were answered meanwhile.
  bool WaitForVersion(std::int64_t version);

  // Waits for the last calls and ends the threads.
  void Stop();

  int answered() const { return answered_; }
  // The errors of the calls so far.
  std::vector<std::string> errors();

 private:
  void Run();

  const ClassifierClient client_;
  v1::ImageBatch image_;
  std::atomic<bool> stop_{false};
  std::atomic<int> answered_{0};
  std::atomic<std::int64_t> last_version_{0};
  Mutex mutex_;
  std::vector<std::string> errors_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace lipserve

#endif  // TESTS_INTEGRATION_CLASSIFY_LOAD_H_
