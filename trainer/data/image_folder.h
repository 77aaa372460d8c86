// SPDX-License-Identifier: Apache-2.0
// Folders of PNG and JPEG images, one folder a class.
#ifndef TRAINER_DATA_IMAGE_FOLDER_H_
#define TRAINER_DATA_IMAGE_FOLDER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/data/raw_samples.h"

namespace lipserve::trainer {

// Reads <folder>/train/<class>/ and, where they are there, <folder>/test/<class>/ and
// <folder>/val/<class>/ (or valid, validation); without a folder train, <folder>/<class>/. Labels
// number the classes in the order of their names' bytes, samples are in the order of labels, then
// of file names' bytes. Names that start with '.' are left out. With `class_names` in `spec`, only
// those classes are read.
//
// Guarantee: every file in these folders is read or refused, and so is every other folder beside
//            train.
// Errors:    NotFound if a folder is missing; InvalidArgument, naming the file, what was expected,
//            what was found and what to do, for a file that is no PNG or JPEG, an image of another
//            size than the first, fewer than two classes, a class without images, test
//            classes that are not those of train, or a class name without a folder.
absl::StatusOr<RawDataset> ReadImageFolder(const v1::DatasetSpec& spec, const std::string& folder,
                                           WhichFiles which);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_IMAGE_FOLDER_H_
