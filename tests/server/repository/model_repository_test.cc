// SPDX-License-Identifier: Apache-2.0
#include "server/repository/model_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "server/repository/repository_folder.h"
#include "tests/server/repository_fixture.h"

namespace lipserve {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ModelRepositoryTest : public RepositoryFixture {
 protected:
  ModelRepository Repository(bool skip_bad_models = false) {
    ModelRepository::Settings settings = Settings(RepositoryMode::kFixed);
    settings.skip_bad_models = skip_bad_models;
    return ModelRepository(settings, metrics_, clock_);
  }
};

TEST_F(ModelRepositoryTest, ServesEveryVersionOfEveryModel) {
  folder_.Add("a", "1", SmallModel(1));
  folder_.Add("a", "12", SmallModel(2));
  folder_.Add("b", "3", SmallModel(3));
  ModelRepository repository = Repository();
  ASSERT_TRUE(repository.Read().ok());
  EXPECT_EQ(repository.largest_input_size(), kSmallInputSize);
  EXPECT_TRUE(repository.catalog()->models().empty());  // nothing before it is proven
  ASSERT_TRUE(repository.Start().ok());
  EXPECT_EQ(repository.catalog()->models().size(), 3U);
  EXPECT_TRUE(repository.catalog()->Find("a", 12).ok());
  EXPECT_THAT(log_, HasSubstr("loaded a/12"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_model_loaded{model=\"b\",version=\"3\"} 1"));
}

TEST_F(ModelRepositoryTest, PassesOverFilesHiddenFoldersAndUnfinishedVersions) {
  folder_.Add("a", "1", SmallModel());
  folder_.Add(".git", "1", SmallModel());
  std::ofstream(folder_.path() + "/README.md") << "models";
  fs::create_directories(folder_.path() + "/a/2");
  fs::create_directories(folder_.path() + "/in_training/1");
  ModelRepository repository = Repository();
  ASSERT_TRUE(ReadAndStart(repository).ok());
  EXPECT_EQ(repository.catalog()->models().size(), 1U);
}

TEST_F(ModelRepositoryTest, RefusesFoldersThatAreNoVersionNumbers) {
  folder_.Add("good", "1", SmallModel());
  const std::vector<std::string> versions = {"0",   "-1", "01",     "+1",
                                             "1.0", "v1", "latest", "99999999999999999999"};
  for (const std::string& version : versions) folder_.Add("a", version, SmallModel());
  ModelRepository repository = Repository();
  const absl::Status status = repository.Read();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const std::string& version : versions) {
    EXPECT_THAT(std::string(status.message()), HasSubstr("got '" + version + "'"));
  }
}

TEST_F(ModelRepositoryTest, RefusesNamesThatAreNoModelNames) {
  folder_.Add("my model", "1", SmallModel());
  ModelRepository repository = Repository();
  EXPECT_THAT(std::string(repository.Read().message()),
              AllOf(HasSubstr("got 'my model'"), HasSubstr("rename")));
}

TEST(RepositoryFolderTest, ModelNamesAreShortAndPlain) {
  for (const char* name : {"a", "mnist08", "A_b-c.d", "0"}) EXPECT_TRUE(IsValidModelName(name));
  for (const char* name : {"", ".a", "-a", "a b", "a/b", "ä", "a\n"}) {
    EXPECT_FALSE(IsValidModelName(name)) << name;
  }
  EXPECT_TRUE(IsValidModelName(std::string(128, 'x')));
  EXPECT_FALSE(IsValidModelName(std::string(129, 'x')));
}

TEST_F(ModelRepositoryTest, RefusesACorruptFileNamingIt) {
  folder_.Add("good", "1", SmallModel());
  const std::string path = folder_.Add("bad", "1", SmallModel());
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(200);
  file.put('\x5a');
  file.put('\x5b');
  file.close();
  ModelRepository repository = Repository();
  EXPECT_THAT(std::string(repository.Read().message()),
              AllOf(HasSubstr("1 refused"), HasSubstr(path), HasSubstr("--skip-bad-models")));
}

TEST_F(ModelRepositoryTest, RefusesAModelWhoseClaimIsNotProven) {
  folder_.Add("good", "1", SmallModel());
  const std::string path = folder_.Add("boastful", "1", BoastfulModel());
  ModelRepository repository = Repository();
  ASSERT_TRUE(repository.Read().ok());
  EXPECT_THAT(std::string(repository.Start().message()), HasSubstr(path));
  EXPECT_TRUE(repository.catalog()->models().empty());
}

TEST_F(ModelRepositoryTest, SkipsBadModelsIfAskedAndSaysSo) {
  folder_.Add("good", "1", SmallModel());
  folder_.Add("boastful", "1", BoastfulModel());
  folder_.Add("good", "latest", SmallModel());
  std::ofstream(folder_.Add("empty", "1", SmallModel()), std::ios::trunc).flush();
  ModelRepository repository = Repository(/*skip_bad_models=*/true);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  EXPECT_EQ(repository.catalog()->models().size(), 1U);
  EXPECT_THAT(log_, AllOf(HasSubstr("boastful/1"), HasSubstr("good/latest"), HasSubstr("empty/1")));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("boastful")));
}

TEST_F(ModelRepositoryTest, SkippingEverythingLeavesNoModel) {
  folder_.Add("boastful", "1", BoastfulModel());
  ModelRepository repository = Repository(/*skip_bad_models=*/true);
  EXPECT_TRUE(absl::IsNotFound(ReadAndStart(repository)));
}

TEST_F(ModelRepositoryTest, AnEmptyRepositoryIsAnErrorThatSaysWhatWasExpected) {
  ModelRepository repository = Repository();
  const absl::Status status = repository.Read();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(folder_.path()), HasSubstr("<name>/<version>/model.lip")));
}

TEST_F(ModelRepositoryTest, AMissingFolderIsAnErrorThatNamesIt) {
  ModelRepository::Settings settings = Settings(RepositoryMode::kFixed);
  settings.folder += "/nowhere";
  ModelRepository repository(settings, metrics_, clock_);
  const absl::Status status = repository.Read();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace lipserve
