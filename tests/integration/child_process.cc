// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

absl::Status SystemError(const std::string& what, int error) {
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(error)));
}

// Starts a program with its standard output and error on the given descriptors. posix_spawn, not
// fork: the tests' threads may hold locks that a forked copy would wait for forever.
absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& command, int output, int error) {
  std::vector<std::string> arguments = command;
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return SystemError(command[0], failed);
  return pid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& command) {
  File error(std::tmpfile());
  if (error == nullptr) return SystemError("temporary file", errno);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("pipe", errno);
  File output(fdopen(ends[0], "r"));
  const auto pid = Spawn(command, ends[1], fileno(error.get()));
  close(ends[1]);
  if (!pid.ok()) return pid.status();
  return std::unique_ptr<ChildProcess>(new ChildProcess(*pid, std::move(output), std::move(error)));
}

ChildProcess::ChildProcess(pid_t pid, File output, File error)
    : pid_(pid), output_(std::move(output)), error_(std::move(error)) {}

ChildProcess::~ChildProcess() {
  if (has_ended_) return;
  Signal(SIGKILL);
  WaitForExit();
}

absl::StatusOr<std::string> ChildProcess::WaitForLine(const std::string& prefix) {
  std::string line;
  for (int c = std::fgetc(output_.get()); c != EOF; c = std::fgetc(output_.get())) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    if (line.rfind(prefix, 0) == 0) return line;
    line.clear();
  }
  return absl::UnavailableError(absl::StrCat("the output ended before a line \"", prefix,
                                             "...\"; standard error: ", StandardError()));
}

void ChildProcess::Signal(int signal) const {
  if (!has_ended_) kill(pid_, signal);
}

std::string ChildProcess::ReadToEnd() {
  std::string text;
  for (int c = std::fgetc(output_.get()); c != EOF; c = std::fgetc(output_.get())) {
    text += static_cast<char>(c);
  }
  return text;
}

int ChildProcess::WaitForExit() {
  if (has_ended_) return exit_code_;
  ReadToEnd();  // a program that blocks on a full pipe would never end
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  has_ended_ = true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

std::string ChildProcess::StandardError() const {
  std::string text;
  std::array<char, 4096> buffer{};
  // pread: the program shares the file's position and may still be writing.
  for (off_t at = 0;;) {
    const ssize_t got = pread(fileno(error_.get()), buffer.data(), buffer.size(), at);
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    at += got;
  }
}

FinishedProgram RunProgram(const std::vector<std::string>& command) {
  const auto process = ChildProcess::Start(command);
  if (!process.ok()) return {-1, "", std::string(process.status().message())};
  FinishedProgram finished;
  finished.output = (*process)->ReadToEnd();
  finished.exit_code = (*process)->WaitForExit();
  finished.error = (*process)->StandardError();
  return finished;
}

}  // namespace lipserve
