// Follows what Expat was given of a document and where it stands in it: how much it could not take
// apart yet, whether it is between two elements, and whether what it refused is but the rest of a
// device after the document. Not thread safe; in its parser's callbacks only tag_ended() and
// document_ended() may be called.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/expat.h"

namespace era {

class fed_text {
 public:
  // The parser must stay.
  explicit fed_text(XML_Parser parser) : parser_(parser) {}

  // From callbacks: the present tag ends here; and it was the last of the document's element.
  void tag_ended();
  void document_ended() { document_end_ = tag_end_; }

  // Expat took the text that comes next.
  void add(std::string_view text);

  // Whether Expat refused that text because of a zero byte after the end of the document's element,
  // with nothing but white space between: where a document was written to a device, that is where
  // it ends. What follows the zero is then not looked at. Never so in UTF-16, half of which is
  // zeros.
  bool ends_with_zeros(std::string_view text) const;

  std::int64_t bytes() const { return bytes_; }
  std::uint64_t lines() const { return lines_; }

  // Bytes of a token whose end has not been met. Expat will look at all of them again with whatever
  // it is given next.
  std::size_t pending() const;

  // Whether Expat is between two elements now, at the beginning of a line, with nothing pending,
  // and bytes are characters and lines what they seem. To leave out a whole element there makes no
  // difference to it.
  bool between_elements() const { return between_elements_ && plain_lines_; }

 private:
  XML_Parser parser_;
  std::int64_t bytes_ = 0;
  std::uint64_t lines_ = 0;
  std::int64_t tag_end_ = -1;       // after the last tag
  std::int64_t document_end_ = -1;  // after the last tag of all
  bool blank_since_document_ = true;
  bool had_zeros_ = false;
  bool between_elements_ = false;
  bool plain_lines_ = true;
};

}  // namespace era
