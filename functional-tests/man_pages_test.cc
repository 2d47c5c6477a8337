// The manual pages against the tools: each page documents the options that the tool has, all of
// them and no others.
#include <catch2/catch.hpp>
#include <regex>
#include <sstream>

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

// What the paragraphs of OPTIONS are headed with.
std::set<std::string> documented_options(const std::string& tool) {
  const auto lines = section(tool, "OPTIONS");
  std::string tags;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    if (lines[i] == ".TP") {
      tags += plain(lines[i + 1]) + '\n';
    }
  }
  return options_in(tags);
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

TEST_CASE("each tool has a page that names it") {
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      const auto name = section(tool, "NAME");
      REQUIRE(name.size() == 1);
      CHECK_THAT(plain(name[0]), StartsWith(tool + " - "));
      CHECK_THAT(joined(section(tool, "SYNOPSIS")), StartsWith(tool + "\n"));
    }
  }
}

TEST_CASE("a page documents the options that --help prints, and only those") {
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

TEST_CASE("the pages have the sections that a reader looks for") {
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

TEST_CASE("mandoc finds no error in a page") {
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
