// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_REPOSITORY_MODE_H_
#define SERVER_REPOSITORY_REPOSITORY_MODE_H_

namespace lipserve {

// What triggers loading and unloading of models after the start.
enum class RepositoryMode {
  kFixed,     // nothing
  kPoll,      // changes of the folder
  kExplicit,  // requests
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_MODE_H_
