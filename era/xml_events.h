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

  // Many of them: those in lines() from `first` on, of which the first is in line `first_line` of
  // the document, and all others in the lines behind it. A scanner puts them there itself.
  std::vector<leaf_scanner::leaf>& lines() { return lines_; }
  void add_lines(bool of_bits, std::size_t first, std::uint64_t first_line);

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
  std::vector<leaf_scanner::leaf> lines_;
  std::exception_ptr failure_;
};

}  // namespace era
