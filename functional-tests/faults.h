// Faults of the system that no test can bring about otherwise: a library that is loaded into a tool
// and makes calls fail. Not for tools built with sanitizers. Not thread safe.
#pragma once

#include <string>
#include <vector>

#include "harness.h"

namespace faults {

// Whether faults can be had here; says why not in the test's output.
bool available();

// The command with calls that fail: "fsync folder" (EIO), "close stdout" (EIO on a copy of standard
// output), "rename" (EXDEV), "fsync interrupted" (EINTR, once), "wait" (a file's fsync never ends).
std::vector<std::string> with(const std::string& fault, const std::vector<std::string>& command);

}  // namespace faults
