// SPDX-License-Identifier: Apache-2.0
// What the test program does instead of testing, when one of its tests runs it again with a flag.
//
//   const ProgramMode kGreet("--greet", [] { std::puts("hello"); });
//   RunProgram({"/proc/self/exe", "--greet"})
#ifndef TESTS_SOUNDNESS_PROGRAM_MODE_H_
#define TESTS_SOUNDNESS_PROGRAM_MODE_H_

#include <map>
#include <string>

namespace lipserve {

class ProgramMode {
 public:
  using Run = void (*)();

  // At namespace scope, so that main knows the flag.
  ProgramMode(const std::string& flag, Run run) { All()[flag] = run; }

  // What `flag` stands for, or null.
  static Run Find(const std::string& flag) {
    const auto found = All().find(flag);
    return found == All().end() ? nullptr : found->second;
  }

 private:
  static std::map<std::string, Run>& All() {
    static std::map<std::string, Run> modes;
    return modes;
  }
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_PROGRAM_MODE_H_
