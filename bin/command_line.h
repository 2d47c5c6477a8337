// What the command lines of all tools have in common: options, --help and --version, exit status,
// and where messages go. A tool states its options in one table, from which it is parsed and its
// help printed. Not thread safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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

struct command {
  const char* name;
  const char* synopsis;         // after the name: "[options] {device|file}"
  const char* summary;          // one line, what it does
  std::vector<option> options;  // --help and --version are added to them
  bool takes_input = true;      // one file besides the options
};

// A parsed command line.
class arguments {
 public:
  bool has(const std::string& name) const { return values_.contains(name); }
  std::string value(const std::string& name, const std::string& otherwise = "") const;

  // The value as a number; throws base::usage_error if it is none, or above `max`.
  std::uint64_t number(const std::string& name, std::uint64_t max) const;

  // One of `choices`, the first if the option was not given; throws base::usage_error otherwise.
  std::string choice(const std::string& name, const std::vector<std::string>& choices) const;

  bool has_input() const { return !files_.empty(); }

  // The input file; throws base::usage_error if there is none.
  const std::string& input() const;

 private:
  friend arguments parse(const command&, int, const char* const*);
  std::map<std::string, std::string> values_;  // by the option's long name
  std::vector<std::string> files_;
};

// Throws base::usage_error.
arguments parse(const command& spec, int argc, const char* const* argv);

std::string help_text(const command& spec);

enum class exit_status { success = 0, failure = 1 };

// The whole of a tool's main: parses, answers --help and --version, runs `body`, and turns
// exceptions into a message on standard error and exit status 1. With an option --quiet given there
// is no message; a broken pipe has none either.
int run_tool(const command& spec, int argc, const char* const* argv,
             const std::function<exit_status(const arguments&)>& body);

}  // namespace cli
