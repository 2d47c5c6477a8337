#include "bin/command_line.h"

#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <string_view>

#include "base/number.h"
#include "bin/suggestion.h"

namespace cli {
namespace {

namespace po = boost::program_options;

constexpr std::size_t help_column = 34;
constexpr std::size_t help_width = 80;

po::options_description describe(const std::vector<option>& options) {
  po::options_description description;
  for (const option& o : options) {
    for (const char* const name : {o.name, o.alias}) {
      if (name == nullptr) {
        continue;
      }
      std::string spelt = name;
      if (o.short_name != 0 && name == o.name) {
        spelt += std::string(",") + o.short_name;
      }
      if (o.argument != nullptr) {
        description.add_options()(spelt.c_str(), po::value<std::string>(), "");
      } else {
        description.add_options()(spelt.c_str(), "");
      }
    }
  }
  return description;
}

[[noreturn]] void refuse_without_argument(const std::string& spelt, const option& o) {
  throw base::usage_error("option '" + spelt + "' needs an argument: " + o.argument + ".");
}

po::parsed_options parse_with_boost(const std::vector<std::string>& words,
                                    const std::vector<option>& options) {
  using style = po::command_line_style::style_t;
  constexpr int exact_unix = style::unix_style & ~style::allow_guessing;
  const po::options_description description = describe(options);
  po::positional_options_description files;
  files.add("files", -1);
  po::options_description with_files;
  with_files.add(description);
  with_files.add_options()("files", po::value<std::vector<std::string>>(), "");
  try {
    return po::command_line_parser(words)
        .options(with_files)
        .positional(files)
        .style(exact_unix)
        .run();
  } catch (const po::unknown_option& e) {
    throw base::usage_error(sentence_about_unknown(e.get_option_name(), options));
  } catch (const po::error_with_option_name& e) {
    const std::string given = e.get_option_name();
    const option* const o = find_option(given, options);
    if (o != nullptr && o->argument != nullptr) {
      refuse_without_argument(given, *o);
    }
    throw base::usage_error("option '" + given + "' takes no argument.");
  } catch (const po::error& e) {
    throw base::usage_error(e.what());
  }
}

// The first of the words by which an option was given. Boost has none for short ones in a row.
std::string first_word(const po::option& given) {
  return given.original_tokens.empty() ? "" : given.original_tokens.front();
}

bool has_word_for_value(const po::option& given, const std::string& value) {
  return !given.original_tokens.empty() && given.original_tokens.back() == value;
}

// The value of an option that takes one, as the option `spelt`.
std::string value_of(const po::option& given, const std::string& spelt, const option& o,
                     const std::vector<option>& options) {
  const std::string value = given.value.empty() ? "" : given.value.front();
  if (value.empty()) {
    throw base::usage_error("option '" + spelt + "': the " + o.argument + " given is empty.");
  }
  if (has_word_for_value(given, value) && find_option(value, options) != nullptr) {
    refuse_without_argument(spelt, o);
  }
  return value;
}

// Whether a word that an option took may have been meant as the input.
bool may_be_a_file(const po::option& given, const std::string& value) {
  return has_word_for_value(given, value) &&
         (value.find('/') != std::string::npos || ::access(value.c_str(), F_OK) == 0);
}

// As it was typed, without its argument.
std::string spelling_of(const po::option& given, const option& o) {
  return first_word(given).starts_with("--") || o.short_name == 0 ? "--" + given.string_key
                                                                  : std::string("-") + o.short_name;
}

std::string taken_by(const std::string& spelt, const std::string& value, const char* argument) {
  return "\n'" + spelt + "' took '" + value + "' as its " + argument + ".";
}

[[noreturn]] void refuse_second(const std::string& spelt, const std::string& first,
                                const std::string& second) {
  throw base::usage_error("option '" + spelt + "' is given twice, with '" + first + "' and '" +
                          second + "'; give one.");
}

void check_files(const command& spec, const std::vector<std::string>& files) {
  if (files.size() > spec.most_files) {
    throw base::usage_error("unexpected argument '" + files[spec.most_files] + "'; " +
                            (spec.most_files == 0   ? "files are given by options."
                             : spec.most_files == 1 ? "one input file is read."
                                                    : "see the synopsis for what is given."));
  }
  if (std::find(files.begin(), files.end(), "") != files.end()) {
    throw base::usage_error(spec.most_files == 1 ? "the name of the input file is empty."
                                                 : "an argument is empty.");
  }
}

}  // namespace

std::string arguments::value(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

std::uint64_t arguments::number(const std::string& name, std::uint64_t max) const {
  const std::string text = value(name);
  const auto parsed = base::parse_number(text, max);
  if (!parsed) {
    throw base::usage_error("option '--" + name + "': '" + text +
                            "' is not a decimal number from 0 to " + std::to_string(max) + ".");
  }
  return *parsed;
}

std::optional<std::uint64_t> arguments::positive_number(const std::string& name,
                                                        std::uint64_t max) const {
  if (!has(name)) {
    return std::nullopt;
  }
  const std::uint64_t found = number(name, max);
  if (found == 0) {
    throw base::usage_error("--" + name + " must be more than 0.");
  }
  return found;
}

std::uint64_t arguments::size(const std::string& name) const {
  const std::string text = value(name);
  const auto parsed = base::parse_size(text, INT64_MAX);
  if (!parsed) {
    throw base::usage_error("option '--" + name + "': '" + text +
                            "' is not a size below 2^63 bytes, such as 65536, 128s, 64k or 1M.");
  }
  if (*parsed == 0 || *parsed % 512 != 0) {
    throw base::usage_error("option '--" + name + "': " + text +
                            " is not a positive multiple of a sector, 512 bytes.");
  }
  return *parsed;
}

std::string arguments::choice(const std::string& name,
                              const std::vector<std::string>& choices) const {
  const std::string chosen = value(name, choices.front());
  if (std::find(choices.begin(), choices.end(), chosen) == choices.end()) {
    std::string expected = choices.front();
    for (std::size_t i = 1; i < choices.size(); ++i) {
      expected += " or " + choices[i];
    }
    throw base::usage_error("option '--" + name + "': '" + chosen + "' is not " + expected + ".");
  }
  return chosen;
}

void arguments::exclude(const std::string& one, const std::vector<std::string>& others) const {
  for (const std::string& other : others) {
    if (has(one) && has(other)) {
      throw base::usage_error(std::string("--").append(one) + " and --" + other +
                              " exclude each other.");
    }
  }
}

const std::string& arguments::input() const {
  if (files_.empty()) {
    throw base::usage_error("No input file provided." + mistaken_);
  }
  return files_.front();
}

const std::string& arguments::device_or_file() const {
  if (input() == "-") {
    throw base::usage_error("-: standard input is not read; give a device or file.");
  }
  return input();
}

base::progress_bar::shown when_to_show_progress(const arguments& given) {
  using shown = base::progress_bar::shown;
  const std::string when = given.choice("progress", {"auto", "always", "never"});
  return when == "never" || given.has("quiet") ? shown::never
         : when == "always"                    ? shown::always
                                               : shown::on_terminals;
}

arguments parse(const command& spec, int argc, const char* const* argv) {
  const std::vector<option> options = all_options(spec);
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  arguments parsed;
  for (const po::option& given : parse_with_boost(words, options).options) {
    if (given.position_key >= 0) {
      if (given.value.empty() || first_word(given) != given.value.front()) {  // "--=file"
        throw base::usage_error(sentence_about_unknown(first_word(given), options));
      }
      parsed.files_.insert(parsed.files_.end(), given.value.begin(), given.value.end());
      continue;
    }
    const option* const o = find_option("--" + given.string_key, options);
    if (o == nullptr) {  // what parse_with_boost() calls the files
      throw base::usage_error(sentence_about_unknown("--" + given.string_key, options));
    }
    const std::string spelt = spelling_of(given, *o);
    if (o->argument == nullptr) {
      parsed.values_[o->name] = "";
      continue;
    }
    const std::string value = value_of(given, spelt, *o, options);
    if (!parsed.values_.emplace(o->name, value).second) {
      refuse_second(spelt, parsed.values_[o->name], value);
    }
    if (may_be_a_file(given, value)) {
      parsed.mistaken_ = taken_by(spelt, value, o->argument);
    }
  }
  if (parsed.has("help") || parsed.has("version")) {
    return parsed;
  }
  check_files(spec, parsed.files_);
  return parsed;
}

namespace {

// `text` after what takes `column` columns, broken at blanks; later lines begin at that column.
std::string wrapped(std::string_view text, std::size_t column) {
  std::string result;
  std::size_t at = column;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (at > column && at + 1 + word.size() > help_width) {
      result += "\n" + std::string(column, ' ');
      at = column;
    } else if (at > column) {
      result += " ";
      ++at;
    }
    result += word;
    at += word.size();
  }
  return result;
}

std::string help_line(std::string spelling, const std::string& help) {
  if (spelling.size() + 2 > help_column) {
    spelling += "\n" + std::string(help_column, ' ');
  } else {
    spelling.resize(help_column, ' ');
  }
  return spelling + wrapped(help, help_column) + "\n";
}

}  // namespace

std::string help_text(const command& spec) {
  const std::string usage = "Usage: ";
  std::string text = usage + wrapped(std::string(spec.name) + " " + spec.synopsis, usage.size()) +
                     "\n" + wrapped(spec.summary, 0) + "\n\nOptions:\n";
  for (const option& o : all_options(spec)) {
    std::string spelling = o.short_name != 0 ? std::string("  -") + o.short_name + ", " : "      ";
    spelling += std::string("--") + o.name;
    if (o.argument != nullptr) {
      spelling += std::string(" ") + o.argument;
    }
    text += help_line(spelling, o.help);
    if (o.alias != nullptr) {
      text += help_line(std::string("      --") + o.alias, std::string("the same as --") + o.name);
    }
  }
  return text;
}

}  // namespace cli
