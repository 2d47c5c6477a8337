// era_dump: metadata to XML (doc/format.md 10.1).
#pragma once

#include <string>

#include "era/read/metadata.h"

namespace era {

struct dump_options {
  std::string output;    // file, or "-" or empty for standard output
  bool logical = false;  // the last-written eras alone
  bool compact = false;  // leave out unset bits and eras of 0
  bool repair = false;   // go on after damage
};

// Reads all that is to be dumped once before the first byte goes out, so that damage ends in an
// exception (base::data_error) and no output. With `repair` damage is told on standard error, and
// what is lost is dumped as written in the current era: a lost element of the era array as that
// era, a lost bit as set, both in its writeset and in that of the current era.
void dump(const metadata_source& source, const dump_options& options);

}  // namespace era
