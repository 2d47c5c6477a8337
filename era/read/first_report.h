// Passes problems on, and from some moment on only those that it has not passed on before: for what
// reads the same blocks again and meets the same damage. Takes a byte a metadata block, once there
// is something to report. Not thread safe.
#pragma once

#include <cstdint>
#include <vector>

#include "era/format/problems.h"

namespace era {

class first_report final : public problem_sink {
 public:
  // `next` must stay; `nr_blocks` is how many metadata blocks there are.
  first_report(problem_sink& next, pd::block_nr nr_blocks) : next_(next), nr_blocks_(nr_blocks) {}

  void found(const problem& p) override;
  void only_new_from_now_on() { only_new_ = true; }

 private:
  problem_sink& next_;
  pd::block_nr nr_blocks_;
  std::vector<std::uint8_t> reported_;  // by block: 1 + the code that came last, 0 for nothing
  bool only_new_ = false;
};

}  // namespace era
