// The manual pages against the tools: each page documents the options that the tool has, all of
// them and no others, and that of era_simulate the commands of its scripts.
#include <filesystem>
#include <regex>
#include <sstream>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using Catch::StartsWith;

std::string page_path(const std::string& tool) {
  return SOURCE_FOLDER "/man8/" + tool + ".8";
}

// All that looks like an option: a dash not within a word, and a letter.
std::set<std::string> options_in(const std::string& text) {
  static const std::regex option("(?:^|[^-A-Za-z0-9_])(--[a-z][-a-z0-9]*|-[A-Za-z])(?![-A-Za-z])");
  std::set<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), option), end; at != end; ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

// The text of a line of man(7) source, without macro, escapes and quotes. The macros that alternate
// fonts join their arguments: `.BR \-q ", " \-\-quiet` reads "-q, --quiet".
std::string plain(std::string line) {
  line = std::regex_replace(line, std::regex(R"(^\.[A-Z]+ )"), "");
  line = std::regex_replace(line, std::regex(R"(\\f.)"), "");
  line = std::regex_replace(line, std::regex(R"(\\-)"), "-");
  return std::regex_replace(line, std::regex("\""), "");
}

// The lines of one section of a page, without the heading.
std::vector<std::string> section(const std::string& tool, const std::string& heading) {
  std::istringstream page(harness::read_file(page_path(tool)));
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.rfind(".SH ", 0) == 0) {
      inside = line == ".SH " + heading;
    } else if (inside) {
      lines.push_back(line);
    }
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) {
    text += plain(line) + '\n';
  }
  return text;
}

// What the paragraphs of a section are headed with.
std::vector<std::string> tags(const std::string& tool, const std::string& heading) {
  const auto lines = section(tool, heading);
  std::vector<std::string> found;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    if (lines[i] == ".TP") {
      found.push_back(lines[i + 1]);
    }
  }
  return found;
}

std::set<std::string> documented_options(const std::string& tool) {
  return options_in(joined(tags(tool, "OPTIONS")));
}

// The words of a line, with one blank between two, and without the brackets around placeholders.
std::string words_only(const std::string& line) {
  std::istringstream words(std::regex_replace(line, std::regex("[<>]"), ""));
  std::string text;
  for (std::string word; words >> word;) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

// How a command of a script is used, as era_simulate says when it is used wrongly.
std::string usage_of(const std::string& command) {
  for (const std::string wrong : {"", " x x x x"}) {
    harness::run_options script;
    script.input = command + wrong;
    const auto error = fixtures::call("era_simulate", {}, script).err;
    std::smatch found;
    if (std::regex_search(error, found, std::regex("expected: (.*)"))) {
      return words_only(found[1]);
    }
  }
  return "";
}

// The commands that era/simulation/script.cc knows.
std::set<std::string> known_commands() {
  const auto source = harness::read_file(SOURCE_FOLDER "/era/simulation/script.cc");
  static const std::regex command(R"re(\{verb::\w+, "(\w+)")re");
  std::set<std::string> found;
  for (std::sregex_iterator at(source.begin(), source.end(), command), end; at != end; ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

// A command of an example, and what is shown after it.
struct shown_call {
  std::string command;
  std::string output;
};

// The calls of the first example of a page.
std::vector<shown_call> first_example(const std::string& tool) {
  std::vector<shown_call> calls;
  bool inside = false;
  for (const auto& line : section(tool, "EXAMPLES")) {
    const auto shown = std::regex_replace(line, std::regex(R"(\\-)"), "-");
    if (line == ".RE") {
      break;
    }
    if (inside && shown.rfind("$ ", 0) == 0) {
      calls.push_back({shown.substr(2), ""});
    } else if (inside) {
      calls.back().output += shown + '\n';
    }
    inside = inside || line == ".RS";
  }
  return calls;
}

std::set<std::string> missing_from(const std::set<std::string>& some,
                                   const std::set<std::string>& wanted) {
  std::set<std::string> missing;
  for (const auto& one : wanted) {
    if (some.count(one) == 0) {
      missing.insert(one);
    }
  }
  return missing;
}

using names = std::set<std::string>;

}  // namespace

TEST_CASE("each tool has a page that names it", "[sources]") {
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      const auto name = section(tool, "NAME");
      REQUIRE(name.size() == 1);
      CHECK_THAT(plain(name[0]), StartsWith(tool + " - "));
      CHECK_THAT(joined(section(tool, "SYNOPSIS")), StartsWith(tool + "\n"));
    }
  }
}

TEST_CASE("a page documents the options that --help prints, and only those", "[sources]") {
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      const auto help = fixtures::call(tool, {"--help"});
      REQUIRE(help.status == 0);
      const auto printed = options_in(help.out);
      const auto documented = documented_options(tool);
      REQUIRE(documented.count("--help") == 1);
      CHECK(missing_from(printed, documented) == names());
      CHECK(missing_from(options_in(joined(section(tool, "OPTIONS"))), printed) == names());
      CHECK(missing_from(options_in(joined(section(tool, "SYNOPSIS"))), documented) == names());
    }
  }
}

TEST_CASE("the pages have the sections that a reader looks for", "[sources]") {
  for (const auto& tool : harness::all_tools()) {
    for (const std::string heading : {"DESCRIPTION", "OPTIONS", "EXIT STATUS", "DIAGNOSTICS",
                                      "EXAMPLES", "NOTES", "SEE ALSO"}) {
      INFO(tool << ": " << heading);
      CHECK_FALSE(section(tool, heading).empty());
    }
    for (const auto& other : harness::all_tools()) {
      INFO(tool << " refers to " << other);
      CHECK((other == tool || joined(section(tool, "SEE ALSO")).find(other) != std::string::npos));
    }
  }
}

TEST_CASE("the page of era_simulate documents the commands that there are, as they are used",
          "[sources]") {
  std::set<std::string> documented;
  for (const auto& tag : tags("era_simulate", "SCRIPTS")) {
    const auto usage = words_only(plain(tag));
    const auto command = usage.substr(0, usage.find(' '));
    CHECK(usage == usage_of(command));
    documented.insert(command);
  }
  REQUIRE_FALSE(known_commands().empty());
  CHECK(documented == known_commands());
}

TEST_CASE("the first example of era_simulate is as it runs", "[sources]") {
  const harness::temporary_folder folder;
  const auto calls = first_example("era_simulate");
  REQUIRE(calls.size() == 3);
  REQUIRE(calls[0].command == "cat rollback");
  harness::write_file(folder / "rollback", calls[0].output);
  const auto tools = std::filesystem::path(harness::tool("era_simulate")).parent_path().string();
  harness::run_options there;
  there.folder = folder.path();
  for (const auto& shown : calls) {
    INFO(shown.command);
    const auto got =
        harness::run({"bash", "-c", "PATH=\"$0:$PATH\"; " + shown.command, tools}, there);
    CHECK(got.status == 0);
    CHECK(got.out == shown.output);
    CHECK(got.err == "");
  }
}

TEST_CASE("mandoc finds no error in a page", "[sources]") {
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      harness::result lint;
      try {
        lint = harness::run({"mandoc", "-T", "lint", "-W", "error", page_path(tool)});
      } catch (const std::system_error& failure) {
        WARN("skipped: " << failure.what());
        SUCCEED();
        return;
      }
      CHECK(lint.status == 0);
      CHECK(lint.out + lint.err == "");
    }
  }
}
