// What a part of a document of XML says, in its order: kept by the thread that parses, for the
// thread that builds from it. Not thread safe; it may move between threads.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "era/xml_reader.h"
#include "era/xml_scanner.h"

namespace era {

class xml_events {
 public:
  void clear();

  void begin_superblock(std::uint32_t block_size, std::uint32_t nr_blocks,
                        std::uint32_t current_era);
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at);
  void end_writeset();
  void remark(std::string text);

  // One element.
  void bits(const xml_run& run);
  void eras(const xml_run& run);

  // Many of them, one a line, the first in line `first_line` of the document. A scanner puts them
  // where there is room for them: `count` of those that room_for_lines() returned last.
  std::span<leaf_scanner::leaf> room_for_lines(std::size_t bytes_of_text);
  void add_lines(bool of_bits, std::size_t count, std::uint64_t first_line);

  // Nothing may follow: replay() will throw it.
  void fail(std::exception_ptr thrown) { failure_ = std::move(thrown); }

  // Tells the sink, in long batches of runs as long as they can be.
  void replay(xml_sink& sink, const std::function<void(const std::string&)>& remark) const;

 private:
  enum class kind { begin_superblock, begin_writeset, end_writeset, run, lines, remark };

  struct event {
    kind what;
    bool of_bits = false;           // run, lines: of bits or of eras
    xml_run run = {};               // run
    std::uint32_t numbers[3] = {};  // the arguments of begin_...
    text_position at = {};          // begin_writeset; of the first of lines
    std::size_t first_line = 0;     // lines: of lines_
    std::size_t end_line = 0;
    std::string text = {};  // remark
  };

  class joiner;

  std::vector<event> events_;
  std::vector<leaf_scanner::leaf> lines_;  // nr_lines_ and some room
  std::size_t nr_lines_ = 0;
  std::exception_ptr failure_;
};

}  // namespace era
