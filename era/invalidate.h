// era_invalidate: which data blocks were written in an era or later (doc/format.md 10.2).
#pragma once

#include <string>

#include "era/read/metadata.h"

namespace era {

struct invalidate_options {
  std::uint32_t written_since = 0;
  std::string output;  // file, or "-" or empty for standard output
  enum class form { xml, json } format = form::xml;
};

// Nothing is written before all that decides the list was read and found sound: one bit a data
// block is held. Damage throws base::data_error.
void invalidate(const metadata_source& source, const invalidate_options& options);

}  // namespace era
