// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_SANITIZERS_H_
#define TESTS_SANITIZERS_H_

namespace lipserve {

// Whether this is a build with a sanitizer that keeps memory of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace lipserve

#endif  // TESTS_SANITIZERS_H_
