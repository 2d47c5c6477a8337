// problem_tables check|write: the tables of problems in doc/problems.md and man8/era_check.8, made
// from the one in era/format/problems.cc. `check` compares them with what is in the tree and exits
// with 1 if they differ; `write` puts them there.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "era/format/problems.h"

namespace {

struct document {
  std::string path;
  std::string text;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const document& made) {
  std::ofstream file(made.path, std::ios::binary);
  file << made.text;
  if (!file.flush()) {
    throw std::runtime_error("cannot write " + made.path);
  }
}

// What there is to do, each action once, in the order of the table.
std::vector<std::string> actions() {
  std::vector<std::string> all;
  for (const era::problem_row& row : era::problem_table()) {
    if (std::find(all.begin(), all.end(), row.repair) == all.end()) {
      all.emplace_back(row.repair);
    }
  }
  return all;
}

char letter_of(const std::vector<std::string>& all, const std::string& action) {
  return static_cast<char>('A' + (std::find(all.begin(), all.end(), action) - all.begin()));
}

std::string markdown() {
  std::string text = R"(# Problems

What `era_check` can find, and other tools refuse to read. Made from the table in `era/format/problems.cc` by
`problem_tables write`; do not edit.

An **error** ends every list and dump that needs what is wrong; **non-fatal**: it can be read as it is, and nothing
was lost; a **remark** is harmless, and era_check succeeds. Codes are stable: scripts may look for them.

| code | severity | what it means | what to do |
| --- | --- | --- | --- |
)";
  for (const era::problem_row& row : era::problem_table()) {
    text += std::string("| `") + row.name + "` | " + era::severity_name(row.how_bad) + " | " +
            row.consequence + " | " + row.repair + " |\n";
  }
  return text;
}

// A hyphen is a minus, so that what is copied from the page can be looked for. Lines are broken
// where mandoc wants them to be.
std::string roff(const std::string& text) {
  constexpr std::size_t longest = 80;
  std::string broken;
  std::string line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    for (std::size_t at = 0; (at = word.find('-', at)) != std::string::npos; at += 2) {
      word.insert(at, "\\");
    }
    if (!line.empty() && line.size() + 1 + word.size() > longest) {
      broken += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return broken + line;
}

constexpr const char* begin_mark = ".\\\" Made by problem_tables write: begin\n";
constexpr const char* end_mark = ".\\\" Made by problem_tables write: end\n";

std::string manual_table() {
  const std::vector<std::string> all = actions();
  std::string text =
      ".ad l\n.nh\n.TS\nlB1 lB1 lB1 lxB\nl1 l1 l1 lx.\nCode\tSeverity\tDo\tWhat it means\n";
  for (const era::problem_row& row : era::problem_table()) {
    text += roff(row.name) + "\t" + roff(era::severity_name(row.how_bad)) + "\t" +
            letter_of(all, row.repair) + "\tT{\n" + roff(row.consequence) + "\nT}\n";
  }
  text += ".TE\n.ad b\n.hy\n.PP\nWhat to do:\n.PD 0\n";
  for (const std::string& action : all) {
    text += std::string(".IP ") + letter_of(all, action) + " 3\n" + roff(action) + "\n";
  }
  return text + ".PD\n";
}

std::string manual(const std::string& page) {
  const std::size_t begin = page.find(begin_mark);
  const std::size_t end = page.find(end_mark);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw std::runtime_error("the manual page has no place for the table");
  }
  return page.substr(0, begin) + begin_mark + manual_table() + page.substr(end);
}

int check(const document& made) {
  if (read(made.path) == made.text) {
    return 0;
  }
  std::cerr << made.path
            << " is not as the table of problems says; `problem_tables write` makes it\n";
  return 1;
}

int run(const std::string& command) {
  const std::string page = SOURCE_FOLDER "/man8/era_check.8";
  const std::vector<document> documents = {{SOURCE_FOLDER "/doc/problems.md", markdown()},
                                           {page, manual(read(page))}};
  int status = 0;
  for (const document& made : documents) {
    if (command == "write") {
      write(made);
    } else {
      status |= check(made);
    }
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc == 2 ? argv[1] : "";
  if (command != "check" && command != "write") {
    std::cerr << "usage: problem_tables check|write\n";
    return 2;
  }
  try {
    return run(command);
  } catch (const std::exception& failure) {
    std::cerr << "problem_tables: " << failure.what() << "\n";
    return 1;
  }
}
