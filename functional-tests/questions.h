// What can be asked of metadata, and the judgement of an answer when something is damaged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness.h"

namespace harness {

// A call of a reader, and what it prints where nothing is damaged.
struct question {
  std::vector<std::string> arguments;  // without the device
  bool of_snapshot;
  std::string answer;

  std::string text() const;
};

// Dump, logical dump and invalidate of the live metadata, and of the snapshot if there is one.
std::vector<question> questions(const image& image);

// Runs a tool on the device within the bounds that no input may make it exceed: time and memory.
result run_bounded(std::vector<std::string> arguments, const std::string& path);

// The right answer, with nothing on standard error.
bool is_right(const result& got, const std::string& answer);
// No answer at all, but a message that names the device.
bool is_refusal(const result& got, const std::string& path);

// Whether the text has the number as a word of its own, and that after "block ".
bool has_number(const std::string& text, std::uint64_t number);
bool names_block(const std::string& text, std::uint64_t block);

}  // namespace harness
