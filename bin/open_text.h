// Opening a text that is read from front to back. Thread safe: no state.
#pragma once

#include <string>

#include "base/file_handle.h"
#include "base/text_source.h"

namespace cli {

// The file stays open as long as this lives, and is watched.
struct opened_text {
  base::file_handle file;  // not open: standard input, which is not ours to close
  base::text_source source;
};

// Opens a file or a fifo, which may have to be waited for; "-" is standard input. Throws
// base::io_error, also where somebody keeps writing to the file.
opened_text open_text(const std::string& path);

}  // namespace cli
