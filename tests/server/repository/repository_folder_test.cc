// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_folder.h"

#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

// A repository at models/, where files of models are looked for and not read.
class MisplacedModelTest : public ::testing::Test {
 protected:
  void Write(const std::string& path) const {
    std::filesystem::create_directories(std::filesystem::path(folder_.path(path)).parent_path());
    WriteBytes(folder_.path(path), "x");
  }

  // The only problem with `folder`, of the repository or of one of its models, or "".
  std::string Problem(const std::string& folder) const {
    const auto listing = ListRepositoryFolder(folder_.path(folder));
    EXPECT_TRUE(listing.ok()) << listing.status();
    std::vector<absl::Status> problems = listing->problems;
    for (const ModelFolder& model : listing->models) {
      problems.insert(problems.end(), model.problems.begin(), model.problems.end());
    }
    EXPECT_LE(problems.size(), 1U);
    return problems.empty() ? "" : std::string(problems[0].message());
  }

  const TemporaryFolder folder_;
};

TEST_F(MisplacedModelTest, EachWrongDepthIsAnsweredByTheRightFolder) {
  Write("above/models/digits8/1/model.lip");
  const std::string right = std::filesystem::canonical(folder_.path("above/models")).string();
  EXPECT_EQ(Problem("above/models"), "");
  EXPECT_THAT(Problem("above/models/digits8"),
              HasSubstr("got the folder of one model: start with --models " + right));
  EXPECT_THAT(Problem("above/models/digits8/1"),
              HasSubstr("got the folder of one version: start with --models " + right));
  EXPECT_THAT(Problem("above"), HasSubstr("got a repository inside it: start with --models " +
                                          folder_.path("above/models")));
}

TEST_F(MisplacedModelTest, AModelFileWithoutAVersionIsToldWhereToGo) {
  Write("models/digits8/model.lip");
  EXPECT_THAT(Problem("models"),
              HasSubstr("digits8/model.lip: expected it in the folder of a version, got it in that "
                        "of the model: move it to " +
                        folder_.path("models/digits8/1/model.lip")));
}

TEST_F(MisplacedModelTest, AMisplacedFileDoesNotHideOtherModels) {
  Write("models/7/model.lip");
  Write("models/digits8/1/model.lip");
  const auto listing = ListRepositoryFolder(folder_.path("models"));
  ASSERT_TRUE(listing.ok()) << listing.status();
  EXPECT_EQ(listing->models.size(), 2U);
  EXPECT_TRUE(listing->problems.empty());
}

}  // namespace
}  // namespace lipserve
