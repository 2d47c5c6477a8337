// Takes apart the lines that make up nearly all of a dump's XML, and only those, in exactly the
// form that dump tools write (doc/format.md 10.1):
//
//     <bit block="17" value="true"/>
//     <era block="17" era="5"/>
//
// after any number of blanks, with nothing behind it in the line. Anything else ends the scan; what
// it is, is for Expat to say. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace era {

class leaf_scanner {
 public:
  enum class kind { bits, eras };

  struct leaf {
    std::uint32_t block;
    std::uint32_t value;   // an era, or 1 for true and 0 for false
    std::uint32_t column;  // of the tag, from 1
  };

  // `text` begins at the beginning of a line and must stay.
  leaf_scanner(kind of, std::string_view text)
      : kind_(of), text_(text), at_(text.data()), next_(at_) {}

  // The line behind those taken; empty if it is not of this form, or not there in full.
  std::optional<leaf> next();

  // Takes the line that next() found.
  void take() { at_ = next_; }

  // Bytes of the lines taken.
  std::size_t taken() const { return static_cast<std::size_t>(at_ - text_.data()); }

 private:
  const char* end() const { return text_.data() + text_.size(); }

  kind kind_;
  std::string_view text_;
  const char* at_;
  const char* next_;
};

}  // namespace era
