// What a reader of XML says, as text with positions, so that two ways of reading a document can be
// held against each other. Not thread safe.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>

#include "era/contents.h"

namespace era::test {

class heard_contents final : public contents_sink {
 public:
  void begin(const superblock_facts& facts) override {
    add('s', {facts.block_size, facts.nr_blocks, facts.current_era});
  }
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at) override {
    add('w', {era, nr_bits, at.line, at.column});
  }
  void bits(std::span<const contents_run> runs) override { add_runs('b', runs); }
  void bits(window_ptr /*window*/) override { refuse_window(); }
  void end_writeset() override { add('x', {}); }
  void eras(std::span<const contents_run> runs) override { add_runs('e', runs); }
  void eras(window_ptr /*window*/) override { refuse_window(); }
  void end() override { add('.', {}); }

  // Remarks and refusals are heard too.
  void add_line(const std::string& line) { text_ += line + "\n"; }

  const std::string& text() const { return text_; }

 private:
  void add(char what, std::initializer_list<std::uint64_t> numbers) {
    text_ += what;
    for (const std::uint64_t number : numbers) {
      text_ += " " + std::to_string(number);
    }
    text_ += "\n";
  }
  void add_runs(char what, std::span<const contents_run> runs) {
    for (const contents_run& run : runs) {
      add(what, {run.first, run.count, run.value, run.at.line, run.at.column});
    }
  }
  [[noreturn]] static void refuse_window() {
    throw std::logic_error("the reader of XML makes no windows");
  }

  std::string text_;
};

}  // namespace era::test
