// SPDX-License-Identifier: Apache-2.0
// Files for the client's tests.
#ifndef TESTS_CLIENT_TEST_FILES_H_
#define TESTS_CLIENT_TEST_FILES_H_

#include <zlib.h>

#include <string>

#include "gtest/gtest.h"
#include "tests/proto/idx_bytes.h"
#include "tests/proto/write_png.h"
#include "tests/temporary_folder.h"

namespace lipserve {

inline void WriteGzip(const std::string& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

}  // namespace lipserve

#endif  // TESTS_CLIENT_TEST_FILES_H_
