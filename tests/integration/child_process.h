// SPDX-License-Identifier: Apache-2.0
// Starts our programs as their users do, and never leaves one behind.
#ifndef TESTS_INTEGRATION_CHILD_PROCESS_H_
#define TESTS_INTEGRATION_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipserve {

// A running program. Its standard output is read line by line, its standard error is kept.
//
// Threads: one thread at a time.
class ChildProcess {
 public:
  // Starts `command`: the path of a program and its arguments.
  //
  // Errors: Internal with the system's reason.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& command);

  // Kills the program if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Waits for a line of standard output that starts with `prefix`; other lines are dropped.
  //
  // Errors: Unavailable with the program's standard error if its output ends first.
  absl::StatusOr<std::string> WaitForLine(const std::string& prefix);

  // Sends a signal.
  void Signal(int signal) const;

  // Reads the rest of standard output.
  std::string ReadToEnd();

  // Waits for the end: the exit code, or 128 plus the signal that ended the program.
  int WaitForExit();

  // What was written to standard error so far.
  std::string StandardError() const;

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, CloseFile>;

  ChildProcess(pid_t pid, File output, File error);

  pid_t pid_;
  bool has_ended_ = false;
  int exit_code_ = -1;
  File output_;
  File error_;  // an unnamed temporary file that the program writes to
};

// A program that has ended.
struct FinishedProgram {
  int exit_code = -1;
  std::string output;
  std::string error;
};

// Runs `command` to its end. A program that cannot be started has exit code -1.
FinishedProgram RunProgram(const std::vector<std::string>& command);

}  // namespace lipserve

#endif  // TESTS_INTEGRATION_CHILD_PROCESS_H_
