#include "documents.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "harness.h"

namespace documents {

namespace {

struct raw_line {
  std::size_t number;
  std::string text;
};

enum class kind { script, session, other };

// Lines that belong together, before it is known what is a command.
struct raw_block {
  std::string heading;
  std::vector<raw_line> lines;
  kind is = kind::other;
};

std::vector<raw_line> lines_of(const std::string& document) {
  std::istringstream text(harness::read_file(SOURCE_FOLDER "/" + document));
  std::vector<raw_line> lines;
  for (std::string line; std::getline(text, line);) {
    lines.push_back({lines.size() + 1, line});
  }
  return lines;
}

bool begins(const std::string& text, const std::string& with) {
  return text.rfind(with, 0) == 0;
}

std::string prompt_of(const std::string& line) {
  return begins(line, "$ ") || begins(line, "# ") ? line.substr(0, 2) : "";
}

// A line of man(7) source as it is shown.
std::string shown(std::string line) {
  line = std::regex_replace(line, std::regex(R"(\\f[A-Z]|\\&)"), "");
  line = std::regex_replace(line, std::regex(R"(\\-)"), "-");
  line = std::regex_replace(line, std::regex(R"(\\\(aq)"), "'");
  line = std::regex_replace(line, std::regex(R"(\\\(dq)"), "\"");
  return std::regex_replace(line, std::regex(R"(\\e)"), "\\");
}

std::vector<raw_block> page_blocks(const std::string& page) {
  std::vector<raw_block> blocks;
  std::string section;
  std::string heading;
  bool inside = false;
  for (const auto& line : lines_of(page)) {
    if (begins(line.text, ".SH ") || begins(line.text, ".SS ")) {
      heading = line.text.substr(4);
      section = line.text[2] == 'H' ? heading : section;
    } else if (line.text == ".nf" || line.text == ".EX") {
      inside = true;
      blocks.push_back({heading, {}});
    } else if (line.text == ".fi" || line.text == ".EE") {
      auto& ended = blocks.back();
      inside = false;
      const auto first = ended.lines.empty() ? "" : ended.lines[0].text;
      ended.is = !prompt_of(first).empty() ? kind::session
                 : section == "EXAMPLES"   ? kind::script
                                           : kind::other;
    } else if (inside && line.text[0] != '.') {
      blocks.back().lines.push_back({line.number, shown(line.text)});
    }
  }
  return blocks;
}

kind kind_of_fence(const std::string& language, const raw_line& line) {
  static const std::vector<std::string> shown_only = {"text", "json", "xml", "yaml"};
  if (language == "sh") {
    return kind::script;
  }
  if (language == "console") {
    return kind::session;
  }
  if (std::count(shown_only.begin(), shown_only.end(), language) == 0) {
    throw std::runtime_error("line " + std::to_string(line.number) + ": a block of what? '" +
                             language + "'");
  }
  return kind::other;
}

std::vector<raw_block> markdown_blocks(const std::string& document) {
  std::vector<raw_block> blocks;
  std::string heading;
  bool fenced = false;
  bool indented = false;
  for (const auto& line : lines_of(document)) {
    if (begins(line.text, "```")) {
      fenced = !fenced;
      if (fenced) {
        blocks.push_back({heading, {}, kind_of_fence(line.text.substr(3), line)});
      }
    } else if (fenced) {
      blocks.back().lines.push_back(line);
    } else if (begins(line.text, "    ")) {
      if (!indented) {
        blocks.push_back({heading, {}, kind::script});
      }
      blocks.back().lines.push_back({line.number, line.text.substr(4)});
    } else if (begins(line.text, "#")) {
      heading = line.text.substr(line.text.find_first_not_of("# "));
    }
    indented = !fenced && begins(line.text, "    ");
  }
  return blocks;
}

// Whether bash would ask for more. It says so of a document in the command by a warning.
bool is_complete(const std::string& text) {
  if (text.ends_with("\\")) {
    return false;
  }
  harness::run_options options;
  options.input = text + "\n";
  const auto got = harness::run({"bash", "-n"}, options);
  return got.status == 0 && got.err.empty();
}

bool is_remark(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos || text[first] == '#';
}

// The command that begins at `at`, which is moved past its end. PS2, "> ", is left out.
command take_command(const std::vector<raw_line>& lines, std::size_t& at,
                     const std::string& prompt) {
  command taken{lines[at].number, lines[at].text.substr(prompt.size()), ""};
  for (++at; !is_complete(taken.text); ++at) {
    if (at == lines.size()) {
      throw std::runtime_error("line " + std::to_string(taken.line) +
                               " is not a command: " + taken.text);
    }
    const auto& more = lines[at].text;
    taken.text += "\n" + (!prompt.empty() && begins(more, "> ") ? more.substr(2) : more);
  }
  return taken;
}

std::vector<command> session(const std::vector<raw_line>& lines) {
  const auto prompt = prompt_of(lines[0].text);
  if (prompt.empty()) {
    throw std::runtime_error("line " + std::to_string(lines[0].number) + " has no prompt");
  }
  std::vector<command> commands;
  for (std::size_t at = 0; at < lines.size();) {
    if (begins(lines[at].text, prompt)) {
      commands.push_back(take_command(lines, at, prompt));
    } else {
      commands.back().output += lines[at++].text + "\n";
    }
  }
  return commands;
}

std::vector<command> script(const std::vector<raw_line>& lines) {
  std::vector<command> commands;
  for (std::size_t at = 0; at < lines.size();) {
    if (is_remark(lines[at].text)) {
      ++at;
    } else {
      commands.push_back(take_command(lines, at, ""));
    }
  }
  return commands;
}

// A cell of a table in Markdown, without code marks and escapes.
std::string cell_text(std::string cell) {
  cell = std::regex_replace(cell, std::regex(R"(\\\|)"), "|");
  const auto first = cell.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : cell.substr(first, cell.find_last_not_of(' ') + 1 - first);
}

std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::size_t begin = 1;
  for (std::size_t at = 1; at < row.size(); ++at) {
    if (row[at] == '|' && row[at - 1] != '\\') {
      cells.push_back(cell_text(row.substr(begin, at - begin)));
      begin = at + 1;
    }
  }
  return cells;
}

}  // namespace

std::vector<block> blocks_of(const std::string& document) {
  const bool is_page = document.back() >= '0' && document.back() <= '9';
  std::vector<block> blocks;
  try {
    for (const auto& raw : is_page ? page_blocks(document) : markdown_blocks(document)) {
      if (raw.is != kind::other) {
        blocks.push_back({document, raw.heading,
                          raw.is == kind::session ? session(raw.lines) : script(raw.lines)});
      }
    }
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(document + ": " + error.what());
  }
  return blocks;
}

std::vector<std::string> pages_of_section(int section) {
  const auto folder = "man" + std::to_string(section);
  std::vector<std::string> pages;
  for (const auto& page : std::filesystem::directory_iterator(SOURCE_FOLDER "/" + folder)) {
    pages.push_back(folder + "/" + page.path().filename().string());
  }
  std::sort(pages.begin(), pages.end());
  return pages;
}

std::vector<std::vector<std::string>> table_under(const std::string& document,
                                                  const std::string& heading) {
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  for (const auto& line : lines_of(document)) {
    if (begins(line.text, "#")) {
      inside = line.text.substr(line.text.find_first_not_of("# ")) == heading;
    } else if (inside && begins(line.text, "|")) {
      rows.push_back(cells_of(line.text));
    }
  }
  if (rows.size() < 3) {
    throw std::runtime_error(document + ": no table under " + heading);
  }
  return {std::next(rows.begin(), 2), rows.end()};
}

}  // namespace documents
