// What a part of a document of XML says, in its order: kept by the thread that parses, for the
// thread that builds from it. Not thread safe; it may move between threads.
#pragma once

#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "era/contents.h"
#include "era/xml/xml_scanner.h"

namespace era {

class xml_events {
 public:
  void clear();

  std::uint64_t document_bytes = 0;  // of the document were read for it and the parts before it

  void begin(const superblock_facts& facts);
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at);
  void end_writeset();
  void remark(std::string text);

  // One element.
  void bits(const contents_run& run) { add_run(true, run); }
  void eras(const contents_run& run) { add_run(false, run); }

  // Many of them, one a line, the first in line `first_line` of the document. A scanner puts them
  // where there is room for them: `count` of those that room_for_lines() returned last.
  std::span<leaf_scanner::leaf> room_for_lines(std::size_t bytes_of_text);
  void add_lines(bool of_bits, std::size_t count, std::uint64_t first_line);

  // Nothing may follow: replay() will throw it.
  void fail(std::exception_ptr thrown) { failure_ = std::move(thrown); }

  // Says it to the sink, in long batches of runs as long as they can be.
  void replay(contents_sink& sink, const std::function<void(const std::string&)>& remark) const;

 private:
  enum class kind { begin, begin_writeset, end_writeset, runs, lines, remark };

  struct event {
    kind what;
    std::uint32_t numbers[3] = {};  // the arguments of begin...
    text_position at = {};          // begin_writeset; of the first of lines
    bool of_bits = false;           // runs, lines: of bits or of eras
    std::size_t first = 0;          // of runs_ or lines_, from here
    std::size_t end = 0;            // to here
    std::string text = {};          // remark
  };

  void add_run(bool of_bits, const contents_run& run);

  class joiner;

  std::vector<event> events_;
  std::vector<contents_run> runs_;
  std::vector<leaf_scanner::leaf> lines_;  // nr_lines_ and some room
  std::size_t nr_lines_ = 0;
  std::exception_ptr failure_;
};

}  // namespace era
