// The commands of a simulation script, in the device mapper's words, one a line (see
// era_simulate(8)). Thread safe: no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace era {

enum class verb {
  device,
  create,
  load,
  resume,
  suspend,
  reload,
  remove,
  write,
  write_zeroes,
  discard,
  read,
  flush,
  message,
  status,
  table,
  step,
  settle,
  power_cut,
  power_cut_after
};

// What a script says of a command's outcome: nothing, ! or - before it.
enum class outcome { success, failure, any };

struct script_command {
  verb what;
  outcome expected = outcome::success;
  std::vector<std::uint64_t> numbers = {};
  std::string text = "";  // a table line, a message, or a file name
};

// The command that a line holds; empty for a blank line or a comment. Throws base::data_error with
// what was expected.
std::optional<script_command> parse_command(std::string_view line);

// The line that parses to the command.
std::string text_of(const script_command& command);

}  // namespace era
