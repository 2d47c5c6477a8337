// A text that is read once, from front to back: a file, a pipe or standard input. Not thread safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/change_watch.h"
#include "base/input.h"

namespace base {

// An open file, what it is called in messages, and whether it was changed since it was opened.
struct text_source {
  int fd = -1;
  std::string name;
  change_watch watch = {};
};

// Throws data_error if the source was changed since it was opened.
void require_unchanged(const text_source& source);

// What a text says, in a message of bearable length: its beginning, if it is long.
std::string shortened(std::string_view text);
std::string quoted(std::string_view text);

// The pieces of a text as they come; one of them is in memory.
class text_pieces {
 public:
  // The source must stay.
  explicit text_pieces(const text_source& from);

  // The piece that next() will return; empty at the end of the text. Throws io_error.
  std::string_view peek();

  // The next piece, valid until the call after.
  std::string_view next();

  const std::string& name() const { return from_.name; }

  void require_unchanged() const { base::require_unchanged(from_); }

 private:
  static constexpr std::size_t longest_piece = 256 * 1024;

  const text_source& from_;
  input input_;
  std::vector<char> buffer_ = std::vector<char>(longest_piece);
  std::size_t size_ = 0;  // of what was read and not returned
  bool has_piece_ = false;
};

}  // namespace base
