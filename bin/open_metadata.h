// Opening metadata for the tools that read it or write it anew, with what to do where that fails.
// Thread safe: no state.
#pragma once

#include <sys/stat.h>

#include <string>

#include "bin/command_line.h"
#include "era/read/metadata.h"
#include "persistent-data/file_device.h"

namespace cli {

// Throws base::data_error for a file without room for a superblock.
[[noreturn]] void refuse_too_small(const pd::file_device& device);

// The states that a command line can name.
era::metadata_state state_to_read(const arguments& given);

// Opens `path`, a device, file or packed metadata (era_dump --pack), for reading: exclusively, if
// it is a block device, unless the snapshot is to be read. Throws base::io_error where that fails,
// base::data_error where the file is too small or is XML. `tool` is for messages.
pd::file_device open_metadata(const std::string& path, const std::string& tool,
                              era::metadata_state which);

// The options of what writes metadata anew.
constexpr option new_metadata_option{'o', "output", "FILE",
                                     "write the metadata to FILE, a device or a file that exists"};
constexpr option force_option{0, "force", nullptr, "write over what is not era metadata"};

// Throws base::usage_error if no output is given.
void require_output(const arguments& given);

// Opens the file or device of these options for writing. Throws base::usage_error where none is
// given, base::io_error where it does not exist, is in use or is the input, and base::data_error
// for what holds something else, unless that is forced.
pd::file_device open_output(const arguments& given, const struct stat& input);

}  // namespace cli
