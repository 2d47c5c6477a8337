// era_copy --apply: a delta stream is read from a file or standard input and applied to a target.
// Not thread safe.
#pragma once

#include <string>

#include "bin/command_line.h"

namespace cli {

// `target` is the one that the command line names. With --since-file a delta is applied only to
// what it starts from. Throws base::data_error for what is no delta, one out of order, or one that
// is cut off, after which the target is half-way; base::io_error.
void apply_delta(const arguments& given, const command& tool, const std::string& target);

}  // namespace cli
