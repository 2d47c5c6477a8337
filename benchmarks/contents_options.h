// The options that say what make_image and make_xml write: the same for both, so that
// the same words give an image and its XML. Thread safe: no state.
#pragma once

#include <vector>

#include "benchmarks/contents.h"
#include "bin/command_line.h"

namespace bench {

// Those of the contents, then `more`.
std::vector<cli::option> with_contents_options(const std::vector<cli::option>& more);

// Throws base::usage_error.
contents parse_contents(const cli::arguments& given);

// The one file named; throws base::usage_error if there is none.
const std::string& output_file(const cli::arguments& given);

}  // namespace bench
