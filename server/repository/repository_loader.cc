// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_loader.h"

#include <sys/resource.h>

#include <utility>

#include "model/execution/onednn.h"

namespace lipserve {
namespace {

// Under contention, about a tenth of a serving thread's CPU.
constexpr int kNiceness = 10;

absl::Status DrainingError() {
  return absl::UnavailableError("the server is draining; try another instance");
}

}  // namespace

RepositoryLoader::RepositoryLoader(const Settings& settings, ModelRepository& repository,
                                   Done started)
    : settings_(settings), repository_(repository) {
  repository_.SetRetiredCallback([this] {
    MutexLock lock(mutex_);
    retired_ = true;
    changed_.NotifyAll();
  });
  repository_.LoadAside(settings_.check, [this] {
    MutexLock lock(mutex_);
    load_ended_ = true;
    changed_.NotifyAll();
  });
  thread_ = std::thread([this, done = std::move(started)] { Run(done); });
}

RepositoryLoader::~RepositoryLoader() {
  RequestStop();
  thread_.join();
  repository_.SetRetiredCallback(nullptr);
}

void RepositoryLoader::Load(std::string name, Done done) {
  Add({.task = [name](ModelRepository& repository) { return repository.Load(name); },
       .done = std::move(done),
       .loads = std::move(name)});
}

void RepositoryLoader::Unload(std::string name, Done done) {
  Add({.task = [name = std::move(name)](
                   ModelRepository& repository) { return repository.Unload(name); },
       .done = std::move(done)});
}

void RepositoryLoader::Poll(Done done) {
  Add({.task =
           [](ModelRepository& repository) {
             repository.Poll();
             return absl::OkStatus();
           },
       .done = std::move(done)});
}

void RepositoryLoader::Add(Request request) {
  {
    MutexLock lock(mutex_);
    if (!stop_requested_ && !ended_) {
      requests_.push_back(std::move(request));
      changed_.NotifyAll();
      return;
    }
  }
  request.done(DrainingError());
}

void RepositoryLoader::RequestStop() {
  repository_.RequestStop();
  MutexLock lock(mutex_);
  stop_requested_ = true;
  changed_.NotifyAll();
}

bool RepositoryLoader::WaitUntilEnded(std::chrono::milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(mutex_);
  while (!ended_ && changed_.WaitUntil(mutex_, deadline)) {
  }
  return ended_;
}

void RepositoryLoader::Run(const Done& started) {
  // oneDNN bakes the width of the OpenMP team into its primitives.
  onednn::SetThreadsOfThisThread(1);
  absl::Status status = settings_.check();
  if (status.ok()) status = repository_.Start();
  started(status);
  if (status.ok()) Serve();
  repository_.EndLoads();
  RejectPending();
}

void RepositoryLoader::Serve() {
  // Lowers this thread's priority only (Linux). Before this nothing was served, so nothing was
  // slowed down.
  ::setpriority(PRIO_PROCESS, 0, kNiceness);
  auto next_poll = std::chrono::steady_clock::now() + settings_.poll_interval;
  while (const std::optional<Work> work = WaitForWork(next_poll)) {
    if (work->free_retired) repository_.FreeRetired();
    if (work->collect_loads) repository_.CollectLoads();
    if (work->request.task != nullptr) Answer(work->request);
    if (work->poll) {
      repository_.Poll();
      next_poll = std::chrono::steady_clock::now() + settings_.poll_interval;
    }
    AnswerEndedLoads();
  }
}

void RepositoryLoader::Answer(const Request& request) {
  const absl::Status status = request.task(repository_);
  if (!request.loads.empty() && repository_.IsBeingLoaded(request.loads)) {
    loading_.push_back(request);
  } else {
    request.done(status);
  }
}

void RepositoryLoader::AnswerEndedLoads() {
  for (std::size_t i = 0; i < loading_.size();) {
    if (repository_.IsBeingLoaded(loading_[i].loads)) {
      ++i;
      continue;
    }
    const Request request = std::move(loading_[i]);
    loading_.erase(loading_.begin() + static_cast<std::ptrdiff_t>(i));
    request.done(repository_.OutcomeOfLoad(request.loads));
  }
}

std::optional<RepositoryLoader::Work> RepositoryLoader::WaitForWork(
    std::chrono::steady_clock::time_point next_poll) {
  const bool polls = settings_.poll_interval.count() > 0;
  MutexLock lock(mutex_);
  while (!stop_requested_) {
    Work work;
    work.free_retired = std::exchange(retired_, false);
    work.collect_loads = std::exchange(load_ended_, false);
    work.poll = polls && std::chrono::steady_clock::now() >= next_poll;
    if (!requests_.empty()) {
      work.request = std::move(requests_.front());
      requests_.pop_front();
    }
    if (work.free_retired || work.collect_loads || work.poll || work.request.task != nullptr) {
      return work;
    }
    if (polls) {
      changed_.WaitUntil(mutex_, next_poll);
    } else {
      changed_.Wait(mutex_);
    }
  }
  return std::nullopt;
}

void RepositoryLoader::RejectPending() {
  std::deque<Request> refused;
  {
    MutexLock lock(mutex_);
    refused.swap(requests_);
    ended_ = true;
    changed_.NotifyAll();
  }
  for (const Request& request : loading_) request.done(DrainingError());
  loading_.clear();
  for (const Request& request : refused) request.done(DrainingError());
}

}  // namespace lipserve
