// SPDX-License-Identifier: Apache-2.0
// lipserve-train as a user runs it. The test's target defines LIPSERVE_TRAIN, its path.
#ifndef TESTS_TRAINER_TRAIN_PROCESS_H_
#define TESTS_TRAINER_TRAIN_PROCESS_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace lipserve::trainer {

// A running lipserve-train whose standard output is read line by line.
class TrainProcess {
 public:
  // Standard error goes to `error_path`.
  TrainProcess(const std::vector<std::string>& arguments, const std::string& error_path) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    // A page: the program stops in write() soon after nobody reads on, and so is still there
    // when it is killed, however slow this test is.
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    std::vector<char*> argv;
    std::string program = LIPSERVE_TRAIN;
    argv.push_back(program.data());
    std::vector<std::string> copies = arguments;
    for (std::string& argument : copies) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      const int error = open(error_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      dup2(ends[1], STDOUT_FILENO);
      dup2(error, STDERR_FILENO);
      execv(program.c_str(), argv.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~TrainProcess() {
    std::fclose(output_);
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  TrainProcess(const TrainProcess&) = delete;
  TrainProcess& operator=(const TrainProcess&) = delete;

  // The next line of standard output, with its end; "" at the end of the output.
  std::string ReadLine() {
    std::string line;
    for (int c = std::fgetc(output_); c != EOF; c = std::fgetc(output_)) {
      line.push_back(static_cast<char>(c));
      if (c == '\n') break;
    }
    return line;
  }

  std::string ReadAll() {
    std::string all;
    for (std::string line = ReadLine(); !line.empty(); line = ReadLine()) all += line;
    return all;
  }

  // kill -9, and whether that is what ended it.
  bool Kill() {
    kill(pid_, SIGKILL);
    const int status = WaitStatus();
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

  int ExitCode() {
    const int status = WaitStatus();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // The most memory that it had at a time; once it has ended.
  std::size_t peak_resident_bytes() const { return peak_resident_bytes_; }

 private:
  int WaitStatus() {
    int status = 0;
    rusage used{};
    wait4(std::exchange(pid_, -1), &status, 0, &used);
    peak_resident_bytes_ = static_cast<std::size_t>(used.ru_maxrss) * 1024;
    return status;
  }

  pid_t pid_ = -1;
  std::size_t peak_resident_bytes_ = 0;
  std::FILE* output_ = nullptr;
};

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_TRAIN_PROCESS_H_
