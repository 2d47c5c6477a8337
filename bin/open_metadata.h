// Opening metadata for the tools that read it, with what to do where that fails. Thread safe: no
// state.
#pragma once

#include <string>

#include "bin/command_line.h"
#include "era/read/metadata.h"
#include "persistent-data/file_device.h"

namespace cli {

// The states that a command line can name.
era::metadata_state state_to_read(const arguments& given);

// Opens `path` for reading: exclusively, if it is a block device, unless the snapshot is to be
// read. Throws base::io_error where that fails, base::data_error where the file is too small or is
// XML. `tool` is for messages.
pd::file_device open_metadata(const std::string& path, const std::string& tool,
                              era::metadata_state which);

}  // namespace cli
