// The target of a copy, as a user names it: a file, a block device, or an NBD server. Not thread
// safe.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <span>
#include <string>

#include "base/file_handle.h"
#include "copy/copier.h"
#include "copy/endpoint.h"
#include "era/list/written_list.h"

namespace cli {

// Opens it for writing, and nobody else may write to it meanwhile. A file that is not there is made
// if `may_create`. `sources`: what is copied, none of which it may be. Throws base::io_error where
// that fails.
std::unique_ptr<copy::endpoint> open_copy_target(const std::string& path, bool may_create,
                                                 std::span<const struct stat> sources);

// What a file lies in that is not there: its folder.
std::string folder_of(const std::string& path);

// Opens a file or device to copy from: exclusively, or though it is in use. Throws base::io_error.
base::file_handle open_copy_source(const std::string& path, bool in_use);

// Makes the target as long as the device of the list, if it is shorter. Throws base::io_error where
// it can't be, and base::data_error where not all of what it lacks is in the list: then it is not a
// copy of what the list builds on.
void fit_target(copy::endpoint& target, const era::written_list& list);

// The extents of a list, which must stay.
copy::extent_source extents_of(const era::written_list& list);

}  // namespace cli
