// The file in which a user keeps the era to ask for next time (--since-file), and the one beside it
// that waits for the copy to succeed (--pending). Each is replaced as a whole, never in part. Not
// thread safe.
#pragma once

#include <optional>
#include <string>

#include "era/list/since_state.h"

namespace cli {

// What the file holds; empty if there is none. Throws base::io_error, and base::data_error for a
// file that is damaged or something else.
std::optional<era::since_state> read_since_file(const std::string& path);

// Replaces the file, which is on stable storage then. Throws base::io_error.
void write_since_file(const std::string& path, const era::since_state& state);

// Where the state waits until it is committed.
std::string pending_file_of(const std::string& path);

// Makes the pending state that of the file. Throws base::data_error if none is pending, or if it
// is older than what the file holds or than a copy that was interrupted.
void commit_since_file(const std::string& path);

}  // namespace cli
