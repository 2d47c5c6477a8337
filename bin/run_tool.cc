#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string_view>

#include "base/file_handle.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/message.h"
#include "base/output.h"
#include "base/process.h"
#include "bin/command_line.h"
#include "era/format/problems.h"

namespace cli {

std::string message_of(const std::exception& failure, const command& spec) {
  if (dynamic_cast<const base::usage_error*>(&failure) != nullptr) {
    return std::string(failure.what()) + "\nTry '" + spec.name + " --help'.";
  }
  if (const auto* const damage = dynamic_cast<const era::damage_error*>(&failure)) {
    const std::string before = damage->found().is_foreign ? "" : "era_check lists all; ";
    return std::string(damage->what()) + "\n" + before + repair_of(damage->found()) + ".";
  }
  // A container that would have to be longer than any can be is what a hostile number asks for.
  if (dynamic_cast<const std::bad_alloc*>(&failure) != nullptr ||
      dynamic_cast<const std::length_error*>(&failure) != nullptr) {
    return std::string(spec.name) + ": out of memory";
  }
  return failure.what();
}

namespace {

// How a failure is to be told.
struct manner {
  bool quiet = false;
  bool json = false;
  std::string file;

  void take(const option& o, const std::string& value) {
    quiet = quiet || o.name == std::string_view(quiet_option.name);
    if (o.name == std::string_view("format")) {
      json = value == "json";
    }
  }
};

// What can be seen of that in a command line, which may be wrong.
class glimpse {
 public:
  glimpse(const command& spec, int argc, const char* const* argv)
      : options_(all_options(spec)), words_(argv + std::min(argc, 1), argv + argc) {}

  manner look() {
    while (at_ < words_.size()) {
      const std::string word = next();
      if (word == "--" && at_ < words_.size()) {
        seen_.file = seen_.file.empty() ? words_[at_] : seen_.file;
        break;
      }
      if (word.starts_with("--")) {
        look_at_long(word);
      } else if (word.size() > 1 && word[0] == '-') {
        look_at_short(word);
      } else if (seen_.file.empty()) {
        seen_.file = word;
      }
    }
    return seen_;
  }

 private:
  std::string next() { return at_ < words_.size() ? words_[at_++] : ""; }

  void look_at_long(const std::string& word) {
    const std::size_t equals = word.find('=');
    const option* const o = find_option(word.substr(0, equals), options_);
    if (o == nullptr) {
      return;
    }
    if (o->argument != nullptr) {
      seen_.take(*o, equals == std::string::npos ? next() : word.substr(equals + 1));
    } else if (equals == std::string::npos) {
      seen_.take(*o, "");
    }
  }

  void look_at_short(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const option* const o = find_option(std::string("-") + word[i], options_);
      if (o != nullptr && o->argument != nullptr) {
        seen_.take(*o, i + 1 < word.size() ? word.substr(i + 1) : next());
        return;
      }
      if (o != nullptr) {
        seen_.take(*o, "");
      }
    }
  }

  std::vector<option> options_;
  std::vector<std::string> words_;
  std::size_t at_ = 0;
  manner seen_;
};

void print_json(const command& spec, const std::string& file, const std::string& message) {
  base::text text;
  base::json_writer json(text);
  json.begin_object();
  json.text("tool", spec.name);
  json.text("version", ERA_TOOLS_VERSION);
  json.text("file", file);
  json.text("error", message);
  json.end_object();
  base::write_all(STDOUT_FILENO, text.view().data(), text.size(), "standard output");
}

void tell(const std::exception& failure, const command& spec, const manner& how) {
  if (how.quiet) {
    return;
  }
  const std::string message = message_of(failure, spec);
  base::say(message);
  if (how.json && dynamic_cast<const reported_error*>(&failure) == nullptr) {
    try {
      print_json(spec, how.file, message);
    } catch (const std::bad_alloc&) {
      // Standard error has said what there is to say.
    }
  }
}

exit_status run(const command& spec, const arguments& given,
                const std::function<exit_status(const arguments&)>& body) {
  if (given.has("help") || given.has("version")) {
    base::output out("-");
    out << (given.has("help") ? help_text(spec) : std::string(ERA_TOOLS_VERSION) + "\n");
    out.commit();
    return exit_status::success;
  }
  return body(given);
}

exit_status run_and_tell(const command& spec, int argc, const char* const* argv,
                         const std::function<exit_status(const arguments&)>& body) {
  const manner how = glimpse(spec, argc, argv).look();
  try {
    return run(spec, parse(spec, argc, argv), body);
  } catch (const base::broken_pipe&) {
    throw;
  } catch (const std::exception& failure) {
    tell(failure, spec, how);
  }
  return exit_status::failure;
}

// Takes none, and so looks no closer at the command line than for the words alone.
void say_that_memory_ran_out(const char* tool, int argc, const char* const* argv) {
  const bool quiet = std::any_of(
      argv, argv + argc, [](std::string_view word) { return word == "-q" || word == "--quiet"; });
  if (!quiet) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%s: out of memory", tool);
    base::say(text.data());
  }
}

}  // namespace

int run_tool(const command& spec, int argc, const char* const* argv,
             const std::function<exit_status(const arguments&)>& body) {
  base::prepare_process();
  if (!base::can_throw()) {
    say_that_memory_ran_out(spec.name, argc, argv);
    return static_cast<int>(exit_status::failure);
  }
  try {
    return static_cast<int>(run_and_tell(spec, argc, argv, body));
  } catch (const base::broken_pipe&) {
    // Nobody is there to be told.
  } catch (const std::bad_alloc&) {
    say_that_memory_ran_out(spec.name, argc, argv);
  } catch (const std::exception& failure) {  // of telling
    base::say(failure.what());
  }
  return static_cast<int>(exit_status::failure);
}

}  // namespace cli
