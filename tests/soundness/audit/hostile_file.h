// SPDX-License-Identifier: Apache-2.0
// Model files and certificate files forged from a seed, and what becomes of them: a server and the
// independent checker must refuse them or be right about them.
#ifndef TESTS_SOUNDNESS_AUDIT_HOSTILE_FILE_H_
#define TESTS_SOUNDNESS_AUDIT_HOSTILE_FILE_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/soundness/audit/random_subject.h"

namespace lipserve {

// A forged file, sealed with the right checksum unless that is what is forged.
struct HostileFile {
  std::string bytes;
  std::string what;              // was forged: "layer 2: norm claim times 1 - 1.0e-09"
  bool must_be_refused = false;  // a claim below the norm, or bytes with two meanings
};

// A model file of `subject` with one thing forged: a norm claim that is a little or far too low;
// any number, array or size of any layer; layers that are missing, doubled or exchanged; damaged
// bytes; fields that are unknown, doubled, or written in another way; the envelope.
HostileFile ForgeModelFile(const RandomSubject& subject, std::mt19937_64& random);

struct HostileCounts {
  std::uint64_t model_files = 0;
  std::uint64_t false_claims = 0;    // of these: norm claims that are certainly too low
  std::uint64_t loaded = 0;          // model files that a server takes
  std::uint64_t proven_answers = 0;  // of loaded files
  std::uint64_t certificates = 0;    // forged certificate files
  std::uint64_t accepted = 0;        // of these: those that the checker accepts, all true
  std::vector<std::string> faults;   // what is wrong

  void Add(const HostileCounts& other);
};

// Forges `count` model files and loads each as a server does. What is loaded must be readable for
// the independent checker, which proves answers for random inputs.
HostileCounts TryHostileModels(const RandomSubject& subject, std::size_t count, std::uint64_t seed);

// Forges `count` certificate files of true answers: a longer radius, a larger margin, other
// classes, inputs, units and digests, and damaged text. What the checker accepts must be true.
HostileCounts TryHostileCertificates(const RandomSubject& subject, std::size_t count,
                                     std::uint64_t seed);

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_AUDIT_HOSTILE_FILE_H_
