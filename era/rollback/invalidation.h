// Stale cache blocks as the messages that make dm-cache forget them, and as JSON. Thread safe: no
// state.
#pragma once

#include <functional>
#include <string>

#include "base/output.h"
#include "era/rollback/stale_blocks.h"

namespace era {

// The message and its arguments, "invalidate_cblocks 9 41-49 53" (ends exclusive), are at most so
// many bytes: neither a shell nor the kernel takes any length.
inline constexpr const char* invalidate_message = "invalidate_cblocks";
inline constexpr std::size_t longest_message = 32 * 1024;

// Calls `take` with the arguments of one message after the other, until all blocks are named. What
// it throws comes through.
void make_messages(const written_blocks& blocks,
                   const std::function<void(const std::string& arguments)>& take);

// What is printed besides the blocks.
struct invalidation_facts {
  const changed_blocks& changed;
  const stale_blocks& stale;
  std::string cache;  // name or file
};

// A message a line, without its first word. Nothing is committed by these.
void print_messages(const stale_blocks& stale, base::output& out);

// The totals, one a line.
void print_summary(const invalidation_facts& facts, base::output& out);

enum class with_ranges { no, yes };
void print_json(const invalidation_facts& facts, with_ranges ranges, base::output& out);

}  // namespace era
