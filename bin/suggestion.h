// What to say of an option that a tool does not have: which of its own was probably meant, or which
// tool has it. Thread safe: no state.
#pragma once

#include <string>
#include <vector>

#include "bin/options.h"

namespace cli {

// The whole sentence about `unknown`, an option as it was given ("--since=5", "-x"), to somebody
// who could have given one of `options`.
std::string sentence_about_unknown(const std::string& unknown, const std::vector<option>& options);

}  // namespace cli
