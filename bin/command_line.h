// What the command lines of all tools have in common: options, --help and --version, exit status,
// and how failures are told. A tool states its options in one table, from which it is parsed and
// its help printed. Not thread safe.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "bin/options.h"

namespace cli {

// A parsed command line.
class arguments {
 public:
  bool has(const std::string& name) const { return values_.contains(name); }
  std::string value(const std::string& name, const std::string& otherwise = "") const;

  // The value as a number; throws base::usage_error if it is none, or above `max`.
  std::uint64_t number(const std::string& name, std::uint64_t max) const;

  // The same of a number that must be more than 0; none if the option was not given.
  std::optional<std::uint64_t> positive_number(const std::string& name, std::uint64_t max) const;

  // The value as a size in bytes, which must be a positive multiple of 512; throws
  // base::usage_error.
  std::uint64_t size(const std::string& name) const;

  // One of `choices`, the first if the option was not given; throws base::usage_error otherwise.
  std::string choice(const std::string& name, const std::vector<std::string>& choices) const;

  // Throws base::usage_error if an option was given together with another one of these.
  void exclude(const std::string& one, const std::vector<std::string>& others) const;

  bool has_input() const { return !files_.empty(); }

  // All words that are not options, or of one.
  const std::vector<std::string>& files() const { return files_; }

  // The input file; throws base::usage_error if there is none.
  const std::string& input() const;

  // The same of a tool that reads it in any order: throws base::usage_error for "-" too.
  const std::string& device_or_file() const;

 private:
  friend arguments parse(const command&, int, const char* const*);
  std::map<std::string, std::string> values_;  // by the option's long name
  std::vector<std::string> files_;
  std::string mistaken_;  // which option took what may have been meant as the input, or empty
};

// When a bar is to be shown (--progress, and never with --quiet).
base::progress_bar::shown when_to_show_progress(const arguments& given);

// Throws base::usage_error.
arguments parse(const command& spec, int argc, const char* const* argv);

// No line is longer than 80 columns.
std::string help_text(const command& spec);

enum class exit_status { success = 0, failure = 1 };

// A failure that the result on standard output says already: only standard error gets it.
class reported_error : public base::error {
 public:
  using error::error;
};

// What the user is told of a failure.
std::string message_of(const std::exception& failure, const command& spec);

// The whole of a tool's main: parses, answers --help and --version, runs `body`, and turns
// exceptions into exit status 1 and a message on standard error. With `--format json` standard
// output gets a JSON object with the same message, unless it is a reported_error. With an option
// --quiet given there is neither, even if the command line is wrong; a broken pipe has no message
// either. Where memory runs out, that is said.
int run_tool(const command& spec, int argc, const char* const* argv,
             const std::function<exit_status(const arguments&)>& body);

}  // namespace cli
