// The options that say what make_image and make_xml write: the same for both, so that
// the same words give an image and its XML. Thread safe: no state.
#pragma once

#include "benchmarks/contents.h"
#include "bin/command_line.h"

namespace bench {

// A command with the options of the contents, and then its own.
cli::command with_contents_options(cli::command command);

// Throws base::usage_error.
contents parse_contents(const cli::arguments& given);

// The one file named; throws base::usage_error if there is none.
const std::string& output_file(const cli::arguments& given);

}  // namespace bench
