// Takes apart the lines that make up nearly all of a dump's XML, and only those, in exactly the
// form that dump tools write (doc/format.md 10.1):
//
//     <bit block="17" value="true"/>
//     <era block="17" era="5"/>
//
// after any number of blanks, with nothing after it in the line. Anything else ends the scan; what
// it is, is for Expat to say. Thread safe: no state that changes.
#pragma once

#include <cstdint>
#include <span>
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

  // Lines with a block from `end_block` on or a value above `most_value` are not of the form.
  leaf_scanner(kind of, std::uint64_t end_block, std::uint32_t most_value)
      : kind_(of), end_block_(end_block), most_value_(most_value) {}

  // No line is shorter, in bytes.
  static constexpr std::size_t shortest_line = 25;

  struct result {
    std::size_t lines;
    std::size_t bytes;
  };

  // Takes the lines that `text` begins with, which must be the beginning of a line: as many as
  // there are of the form and in full, and for which there is room. None at the end of the text,
  // where the look-ahead would leave it.
  result scan(std::string_view text, std::span<leaf> into) const;

 private:
  kind kind_;
  std::uint64_t end_block_;
  std::uint32_t most_value_;
};

}  // namespace era
