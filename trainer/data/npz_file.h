// SPDX-License-Identifier: Apache-2.0
// Archives that NumPy saved with numpy.savez or numpy.savez_compressed.
//
// Source: numpy.lib.npyio, one NAME.npy for each array in a ZIP file; PKWARE's APPNOTE.TXT for
// that.
#ifndef TRAINER_DATA_NPZ_FILE_H_
#define TRAINER_DATA_NPZ_FILE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "trainer/data/npy_file.h"

namespace lipserve::trainer {

// The arrays of an archive by name. Arrays of other elements than numbers are left out.
//
// Errors: those of reading the file; InvalidArgument, naming the file, what was expected and what
//         was found, if it is no such archive, is damaged, or holds more than 2^30 bytes.
absl::StatusOr<std::map<std::string, NpyNumbers>> ReadNpzFile(const std::string& path);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_NPZ_FILE_H_
