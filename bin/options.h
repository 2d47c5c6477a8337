// The options of a tool: one table, from which its command line is parsed, its help printed, and
// what is said of a wrong one made. Thread safe: no state.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace cli {

struct option {
  char short_name;       // 0: none
  const char* name;      // without the dashes
  const char* argument;  // what its argument is called, or nullptr if it takes none
  const char* help;
  const char* alias = nullptr;  // another long name
};

// Options that several tools have, so that they are spelt the same everywhere.
constexpr option quiet_option{'q', "quiet", nullptr, "print nothing; the exit status says it"};
constexpr option progress_option{0, "progress", "WHEN",
                                 "show progress on standard error: auto (default; if it is a "
                                 "terminal), always or never"};
constexpr option output_option{'o', "output", "FILE", "write to FILE, not to standard output"};
constexpr option metadata_snapshot_option(const char* help) {
  return {0, "metadata-snapshot", nullptr, help, "metadata-snap"};
}

// Takes no memory, so that a tool's table can be there before main() without any.
struct command {
  static constexpr std::size_t most_options = 24;

  const char* name;
  const char* synopsis;          // after the name: "[options] {device|file}"
  const char* summary;           // one line, what it does
  option options[most_options];  // one without a name ends them; --help and --version are added
  std::size_t most_files = 1;    // besides the options
};

// Those of the table, --help and --version.
std::vector<option> all_options(const command& spec);

// The option that a word spells, "--output" or "-o"; null if there is none.
const option* find_option(const std::string& spelt, const std::vector<option>& options);

}  // namespace cli
