// SPDX-License-Identifier: Apache-2.0
// The memory of this process, read and damaged behind the back of the language, as a fault of the
// hardware would.
#ifndef TESTS_SOUNDNESS_OWN_MEMORY_H_
#define TESTS_SOUNDNESS_OWN_MEMORY_H_

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace lipserve {

// Words of 32 bits, through /proc/self/mem: the sanitizers do not look there.
//
// Threads: what other threads write meanwhile is read before or after.
class OwnMemory {
 public:
  // A stretch of words.
  struct Run {
    std::uintptr_t address = 0;
    std::size_t words = 0;
  };

  OwnMemory() : file_(open("/proc/self/mem", O_RDWR | O_CLOEXEC)) {}
  ~OwnMemory() { close(file_); }
  OwnMemory(const OwnMemory&) = delete;
  OwnMemory& operator=(const OwnMemory&) = delete;

  // Every stretch of at least `at_least` words that all are `word`, in memory that can be written.
  std::vector<Run> Find(std::uint32_t word, std::size_t at_least) const {
    std::vector<Run> runs;
    std::vector<std::uint32_t> chunk(kChunkWords);
    for (const auto& [begin, end] : Regions()) {
      for (std::uintptr_t at = begin; at < end; at += kChunkWords * sizeof(word)) {
        const std::size_t words = std::min(kChunkWords, (end - at) / sizeof(word));
        if (!Read(at, chunk.data(), words)) continue;
        FindIn(chunk, at, words, word, at_least, runs);
      }
    }
    // The copy in `chunk` is no part of the program.
    const auto own = reinterpret_cast<std::uintptr_t>(chunk.data());
    std::erase_if(runs, [own](const Run& run) {
      return run.address >= own && run.address < own + kChunkWords * sizeof(std::uint32_t);
    });
    return runs;
  }

  // Turns the first `words` of a run from one word into another. Returns false and changes nothing
  // if they are not what they were.
  bool Exchange(const Run& run, std::size_t words, std::uint32_t from, std::uint32_t to) const {
    std::vector<std::uint32_t> now(words);
    if (!Read(run.address, now.data(), words)) return false;
    if (std::any_of(now.begin(), now.end(), [from](auto word) { return word != from; })) {
      return false;
    }
    const std::vector<std::uint32_t> then(words, to);
    const auto bytes = static_cast<ssize_t>(words * sizeof(to));
    return pwrite(file_, then.data(), words * sizeof(to), static_cast<off_t>(run.address)) == bytes;
  }

 private:
  static constexpr std::size_t kChunkWords = std::size_t{1} << 18;
  static constexpr std::uintptr_t kLargestRegion = std::uintptr_t{1} << 30;  // above: shadow memory

  // Memory that can be read and written and belongs to this process alone.
  static std::vector<std::pair<std::uintptr_t, std::uintptr_t>> Regions() {
    std::vector<std::pair<std::uintptr_t, std::uintptr_t>> regions;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      unsigned long begin = 0;
      unsigned long end = 0;
      if (std::sscanf(line.c_str(), "%lx-%lx rw-p", &begin, &end) != 2) continue;
      if (line.find(" rw-p ") == std::string::npos || end - begin > kLargestRegion) continue;
      regions.emplace_back(begin, end);
    }
    return regions;
  }

  bool Read(std::uintptr_t address, std::uint32_t* words, std::size_t count) const {
    const auto bytes = static_cast<ssize_t>(count * sizeof(*words));
    return pread(file_, words, count * sizeof(*words), static_cast<off_t>(address)) == bytes;
  }

  // Runs are found within one chunk; one that crosses its end is found in two parts, or not at all.
  static void FindIn(const std::vector<std::uint32_t>& chunk, std::uintptr_t address,
                     std::size_t words, std::uint32_t word, std::size_t at_least,
                     std::vector<Run>& runs) {
    for (std::size_t i = 0; i < words; ++i) {
      std::size_t length = 0;
      while (i + length < words && chunk[i + length] == word) ++length;
      if (length >= at_least) runs.push_back({address + i * sizeof(word), length});
      i += length;
    }
  }

  const int file_;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_OWN_MEMORY_H_
