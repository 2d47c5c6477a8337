#include "era/read/first_report.h"

namespace era {

void first_report::found(const problem& p) {
  static_assert(nr_problem_codes < UINT8_MAX);
  const auto mark = static_cast<std::uint8_t>(1 + static_cast<int>(p.code));
  if (p.block < nr_blocks_) {
    reported_.resize(nr_blocks_);
    if (only_new_ && reported_[p.block] == mark) {
      return;
    }
    reported_[p.block] = mark;
  }
  next_.found(p);
}

}  // namespace era
