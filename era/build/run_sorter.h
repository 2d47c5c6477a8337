// Sorts runs by block in bounded memory: what does not fit is spilled, sorted, to a temporary file
// that has no name. For sources whose runs are not in order. Not thread safe.
#pragma once

#include <optional>
#include <vector>

#include "base/file_handle.h"
#include "era/contents.h"

namespace era {

class run_sorter {
 public:
  // `max_runs` is how many are held in memory (32 bytes each) before they are spilled.
  explicit run_sorter(std::size_t max_runs = std::size_t{1} << 17) : max_runs_(max_runs) {}

  void add(const contents_run& run);
  bool empty() const { return held_.empty() && spills_.empty(); }

  // Takes the runs out, ascending by first block; those with the same one in the order of lines.
  // After the first call nothing may be added.
  std::optional<contents_run> next();

 private:
  // A sorted piece of the temporary file, read through a small buffer.
  struct spill {
    std::uint64_t offset = 0;  // of the next run to read, in runs from the start of the file
    std::uint64_t end = 0;
    std::vector<contents_run> buffer;
    std::size_t at = 0;
  };

  void write_spill();
  void begin_merge();
  bool refill(spill& from);
  static bool comes_later(const spill& a, const spill& b);

  std::size_t max_runs_;
  std::vector<contents_run> held_;
  std::vector<spill> spills_;  // while merging: a heap, the smallest run first
  base::file_handle file_;
  std::uint64_t written_ = 0;
  bool merging_ = false;
};

}  // namespace era
