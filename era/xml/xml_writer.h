// Writes contents as the XML of a dump (doc/format.md 10.1): a sink of era/contents.h for sources
// that keep a dump's order, writesets first, then the eras, and within each element blocks that
// ascend. All processors format. Not thread safe.
#pragma once

#include <cstdint>

#include "base/ordered_printer.h"
#include "base/output.h"
#include "era/contents.h"

namespace era {

class xml_writer final : public contents_sink {
 public:
  // `compact` leaves out unset bits and eras of 0. `out` must stay; it is not committed here.
  xml_writer(base::output& out, bool compact) : printer_(out), compact_(compact) {}

  // Throw std::logic_error where the source does not keep the order, and what `out` throws.
  void begin(const superblock_facts& facts) override;
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at) override;
  void bits(std::span<const contents_run> runs) override { add_runs(runs); }
  void bits(window_ptr window) override { add_window(window); }
  void end_writeset() override;
  void eras(std::span<const contents_run> runs) override;
  void eras(window_ptr window) override;
  void end() override;

 private:
  enum class element { superblock, writeset, era_array };

  void begin_era_array();
  void add_runs(std::span<const contents_run> runs);
  void add_window(const window_ptr& window);
  void fill_up_to(std::uint64_t end);
  void fill(std::uint64_t end, std::uint32_t value);
  void send_pending();
  void print(const window_ptr& window);

  base::ordered_printer printer_;
  bool compact_;
  superblock_facts facts_;
  element inside_ = element::superblock;
  std::uint64_t nr_values_ = 0;               // of the present element
  std::uint64_t next_ = 0;                    // value of it that comes next
  std::shared_ptr<contents_window> pending_;  // runs, on their way to be a window
};

}  // namespace era
