#include "bin/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <numeric>

#include "base/error.h"
#include "base/number.h"
#include "base/output.h"
#include "era/format/problems.h"

namespace cli {
namespace {

namespace po = boost::program_options;

constexpr std::size_t help_column = 34;

std::vector<option> all_options(const command& spec) {
  std::vector<option> all = spec.options;
  all.push_back({'h', "help", nullptr, "print this help and exit"});
  all.push_back({'V', "version", nullptr, "print the version and exit"});
  return all;
}

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

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// The option that was probably meant: one of which it is the beginning, or the one most alike.
std::string nearest(const std::string& unknown, const std::vector<option>& options) {
  const std::string wanted = unknown.substr(0, unknown.find('='));
  std::string best;
  std::size_t best_distance = wanted.size() / 2 + 1;
  for (const option& o : options) {
    for (const char* const name : {o.name, o.alias}) {
      if (name == nullptr) {
        continue;
      }
      const std::string candidate = std::string("--") + name;
      if (wanted.size() > 3 && candidate.starts_with(wanted)) {
        return candidate;
      }
      const std::size_t distance = edit_distance(wanted, candidate);
      if (distance < best_distance) {
        best_distance = distance;
        best = candidate;
      }
    }
  }
  return best;
}

[[noreturn]] void refuse_unknown(const std::string& given, const std::vector<option>& options) {
  const std::string meant = nearest(given, options);
  throw base::usage_error("unknown option '" + given + "'" +
                          (meant.empty() ? "." : "; did you mean '" + meant + "'?"));
}

std::string argument_of(const std::string& given, const std::vector<option>& options) {
  for (const option& o : options) {
    if (given == std::string("--") + o.name || given == std::string("-") + o.short_name ||
        (o.alias != nullptr && given == std::string("--") + o.alias)) {
      return o.argument == nullptr ? "" : o.argument;
    }
  }
  return "";
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
    refuse_unknown(e.get_option_name(), options);
  } catch (const po::error_with_option_name& e) {
    const std::string given = e.get_option_name();
    const std::string argument = argument_of(given, options);
    throw base::usage_error(argument.empty()
                                ? "option '" + given + "' takes no argument."
                                : "option '" + given + "' needs an argument: " + argument + ".");
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
    throw base::usage_error("option '--" + name + "': '" + text + "' is not a number from 0 to " +
                            std::to_string(max) + ".");
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

const std::string& arguments::input() const {
  if (files_.empty()) {
    throw base::usage_error("No input file provided.");
  }
  return files_.front();
}

arguments parse(const command& spec, int argc, const char* const* argv) {
  const std::vector<option> options = all_options(spec);
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  arguments parsed;
  for (const po::option& given : parse_with_boost(words, options).options) {
    if (given.position_key >= 0 || given.string_key == "files") {
      parsed.files_.insert(parsed.files_.end(), given.value.begin(), given.value.end());
      continue;
    }
    for (const option& o : options) {
      if (given.string_key == o.name || (o.alias != nullptr && given.string_key == o.alias)) {
        parsed.values_[o.name] = given.value.empty() ? "" : given.value.front();
        if (o.argument != nullptr && parsed.values_[o.name].empty()) {
          throw base::usage_error("option '--" + given.string_key +
                                  "' needs an argument: " + o.argument + ".");
        }
      }
    }
  }
  if (parsed.has("help") || parsed.has("version")) {
    return parsed;
  }
  const std::size_t most = spec.takes_input ? 1 : 0;
  if (parsed.files_.size() > most) {
    throw base::usage_error(
        "unexpected argument '" + parsed.files_[most] + "'; " +
        (spec.takes_input ? "one input file is read." : "files are given by options."));
  }
  return parsed;
}

std::string help_text(const command& spec) {
  std::string text = std::string("Usage: ") + spec.name + " " + spec.synopsis + "\n" +
                     spec.summary + "\n\nOptions:\n";
  for (const option& o : all_options(spec)) {
    std::string line = o.short_name != 0 ? std::string("  -") + o.short_name + ", " : "      ";
    line += std::string("--") + o.name;
    if (o.argument != nullptr) {
      line += std::string(" ") + o.argument;
    }
    line.resize(std::max(line.size() + 2, help_column), ' ');
    text += line + o.help + "\n";
    if (o.alias != nullptr) {
      std::string other = std::string("      --") + o.alias;
      other.resize(std::max(other.size() + 2, help_column), ' ');
      text += other + "the same as --" + o.name + "\n";
    }
  }
  return text;
}

int run_tool(const command& spec, int argc, const char* const* argv,
             const std::function<exit_status(const arguments&)>& body) {
  std::signal(SIGPIPE, SIG_IGN);
  bool quiet = false;
  const auto fail = [&](const std::string& message) {
    if (!quiet) {
      std::fprintf(stderr, "%s\n", message.c_str());
    }
    return static_cast<int>(exit_status::failure);
  };
  try {
    const arguments given = parse(spec, argc, argv);
    quiet = given.has("quiet");
    if (given.has("help") || given.has("version")) {
      base::output out("-");
      out << (given.has("help") ? help_text(spec) : std::string(ERA_TOOLS_VERSION) + "\n");
      out.commit();
      return static_cast<int>(exit_status::success);
    }
    return static_cast<int>(body(given));
  } catch (const base::broken_pipe&) {
    return static_cast<int>(exit_status::failure);
  } catch (const base::usage_error& e) {
    return fail(std::string(e.what()) + "\nTry '" + spec.name + " --help'.");
  } catch (const era::damage_error& e) {
    return fail(std::string(e.what()) + "\nera_check lists all; " + repair_of(e.found()) + ".");
  } catch (const std::bad_alloc&) {
    return fail(std::string(spec.name) + ": out of memory");
  } catch (const std::exception& e) {
    return fail(e.what());
  }
}

}  // namespace cli
