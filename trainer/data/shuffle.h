// SPDX-License-Identifier: Apache-2.0
// The order in which an epoch visits its samples.
#ifndef TRAINER_DATA_SHUFFLE_H_
#define TRAINER_DATA_SHUFFLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lipserve::trainer {

// A uniformly random permutation of 0..count-1 that depends on (seed, epoch) alone, so that a
// resumed run needs no generator state.
//
// Source:    Fisher-Yates (Knuth, TAOCP 2, algorithm P) on std::mt19937_64, whose output the
//            standard fixes. std::shuffle and std::uniform_int_distribution are not used, because
//            their results depend on the library.
// Guarantee: the same on every machine and standard library.
// Requires:  count <= 2^32.
std::vector<std::uint32_t> ShuffledOrder(std::size_t count, std::uint64_t seed, std::int64_t epoch);

// 0..count-1.
std::vector<std::uint32_t> FileOrder(std::size_t count);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_SHUFFLE_H_
