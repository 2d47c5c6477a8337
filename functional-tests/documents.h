// The commands in the documents that users read: the pages, README.md and doc/cookbook.md.
//
// Where a command is. In a page: in the lines between .nf and .fi, or .EX and .EE. In Markdown: in
// fenced blocks, and in lines indented by four blanks.
// - A block whose first line begins with a prompt, "$ " or "# ", is a session: what follows the
//   same prompt is a command, what follows a command is its output.
// - Fenced as `sh`, or indented, or without a prompt in a page's EXAMPLES, it is a script: every
//   line is a part of a command, a comment, or empty.
// - Anything else shows a file or an output, and is fenced as `text`, `json` and so on.
// A command ends where bash finds it complete.
//
// Not safe for threads.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace documents {

struct command {
  std::size_t line;    // of the document, from 1
  std::string text;    // may have several lines
  std::string output;  // that the document shows; empty if it shows none
};

struct block {
  std::string document;  // relative to the source folder
  std::string heading;   // that it stands under
  std::vector<command> commands;
};

// The blocks with commands of a document: a page if its name ends in a digit, else Markdown.
// Throws if a block is of no known kind, or never becomes complete.
std::vector<block> blocks_of(const std::string& document);

// All documents with commands, and the pages among them of section 8.
std::vector<std::string> pages_of_section(int section);

// The rows of the table under a heading of a Markdown document, without its head: cells with their
// text as it is shown.
std::vector<std::vector<std::string>> table_under(const std::string& document,
                                                  const std::string& heading);

}  // namespace documents
