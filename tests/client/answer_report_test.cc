// SPDX-License-Identifier: Apache-2.0
#include "client/answer_report.h"

#include "client/answer_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/sample_report.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(AnswerReportTest, LabelsOfTheDatasetStandForPositionsAmongItsClasses) {
  v1::DescribeModelResponse model = SampleModel();
  model.set_class_labels(1, "1");
  EXPECT_EQ(ClassOfLabel(model, 0), 0);
  EXPECT_EQ(ClassOfLabel(model, 8), 1);
  EXPECT_EQ(ClassOfLabel(model, 1), std::nullopt);  // neither index 1 nor the name "1"
}

TEST(AnswerReportTest, WithoutADatasetLabelsStandForEqualNames) {
  v1::DescribeModelResponse model;
  for (const char* label : {"0", "8"}) model.add_class_labels(label);
  EXPECT_EQ(ClassOfLabel(model, 8), 1);
  EXPECT_EQ(ClassOfLabel(model, 1), std::nullopt);
}

TEST(AnswerReportTest, RightWrongAndUnknownAreToldApart) {
  const AnswerReport report = SampleReport();
  EXPECT_EQ(report.images[0].is_right(), true);
  EXPECT_EQ(report.images[1].is_right(), false);
  EXPECT_EQ(report.images[2].is_right(), std::nullopt);
  EXPECT_EQ(SummaryLines(report, {}),
            "3 images\n"
            "  right                1 of 2 (50.0 %)\n"
            "  certified at 250     2 of 3 (66.6 %)\n"
            "  right and certified  1 of 2 (50.0 %)\n");
}

TEST(AnswerReportTest, PrintedRadiusIsNeverLargerThanTheProvenOne) {
  v1::Classification answer;
  answer.set_certified_radius_l2(1.99999);
  EXPECT_EQ(RadiusText(answer, v1::RADIUS_UNIT_PIXEL), "1.99 px");
  EXPECT_EQ(RadiusText(answer, v1::RADIUS_UNIT_INPUT), "1.9999");
}

TEST(AnswerReportTest, ScoreIsThatOfTheChosenClass) {
  v1::Classification answer;
  EXPECT_EQ(ScoreText(answer), "-");
  for (const float score : {1.0F, -2.0F, 3.5F}) answer.add_scores(score);
  answer.set_class_index(2);
  EXPECT_EQ(ScoreText(answer), "+3.5000");
  answer.set_class_index(7);
  EXPECT_EQ(ScoreText(answer), "-");
}

TEST(AnswerTableTest, ColumnsLineUp) {
  EXPECT_EQ(AnswerTable(SampleReport(), {}),
            "mnist08 version 3, content sha256 abababababab\n"
            "radii are L2, in pixel steps of 0..255 (px), rounded down; precision tight\n"
            "R2: any image whose squared pixel differences sum to at most R2 gets the same class\n"
            "\n"
            "image          class  truth        score  margin     radius     R2  certified at 250\n"
            "digits.gz[10]  zero   0 right    +1.2500  1.2499  312.47 px  97643  yes\n"
            "digits.gz[11]  eight  0 WRONG    -1.2500  1.2499    0.00 px      0  no\n"
            "digits.gz[12]  zero   7 unknown  +1.2500  1.2499  250.00 px  62500  yes\n"
            "\n" +
                SummaryLines(SampleReport(), {}));
}

TEST(AnswerTableTest, LeavesOutWhatWasNotAsked) {
  const AnswerReport report = MakeReport(SampleModel(), SampleImages({std::nullopt}),
                                         SampleResponse({{0, 1.0, false}}), std::nullopt);
  const std::string table = AnswerTable(report, {});
  EXPECT_THAT(table, Not(HasSubstr("truth")));
  EXPECT_THAT(table, Not(HasSubstr("certified")));
  EXPECT_THAT(table, HasSubstr("\n1 image\n"));
}

TEST(AnswerTableTest, FloatsHaveNoSquaredPixelRadius) {
  AnswerReport report = SampleReport();
  report.unit = v1::RADIUS_UNIT_INPUT;
  report.precision = v1::RADIUS_PRECISION_FAST;
  const std::string table = AnswerTable(report, {});
  EXPECT_THAT(table, Not(HasSubstr("R2")));
  EXPECT_THAT(table, HasSubstr("in the unit of the input, rounded down; precision fast\n"));
}

TEST(AnswerTableTest, ALabelWithEscapeSequencesIsPrintedHarmlessly) {
  AnswerReport report = SampleReport();
  report.images[0].answer.set_label("\x1b[2J");
  EXPECT_THAT(AnswerTable(report, {}), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace lipserve
