#include "base/text_source.h"

#include "base/error.h"

namespace base {

void require_unchanged(const text_source& source) {
  if (source.watch.has_changed()) {
    throw data_error(source.name +
                     ": was changed while it was read.  Give it again when it is complete.");
  }
}

std::string shortened(std::string_view text) {
  constexpr std::size_t most = 60;
  return std::string(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

std::string quoted(std::string_view text) {
  return "\"" + shortened(text) + "\"";
}

text_pieces::text_pieces(const text_source& from) : from_(from), input_(from.fd, from.name) {}

std::string_view text_pieces::peek() {
  if (!has_piece_) {
    size_ = input_.read_some(buffer_.data(), buffer_.size());
    has_piece_ = true;
  }
  return {buffer_.data(), size_};
}

std::string_view text_pieces::next() {
  const std::string_view piece = peek();
  has_piece_ = piece.empty();  // the end stays the end
  return piece;
}

}  // namespace base
