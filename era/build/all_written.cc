#include "era/build/all_written.h"

#include <string>

namespace era {

void all_written::begin(const superblock_facts& facts) {
  facts_ = facts;
  facts_.current_era = later_than(facts.current_era);
  to_.begin(facts_);
}

std::uint32_t all_written::later_than(std::uint32_t current_era) const {
  const std::string current = "current_era is " + std::to_string(current_era);
  if (current_era == UINT32_MAX) {
    throw contents_conflict(current +
                                ": no later era is left.  Make new metadata, and take every block "
                                "as written since any era noted before.",
                            {});
  }
  if (new_era_) {
    if (*new_era_ <= current_era) {
      throw contents_conflict(
          current + ": the new one must be later, and " + std::to_string(*new_era_) + " is not",
          {});
    }
    return *new_era_;
  }
  if (current_era > UINT32_MAX - usual_distance) {
    throw contents_conflict(current + ": no era is left that is " + std::to_string(usual_distance) +
                                " later.  Give the new one, from " +
                                std::to_string(current_era + 1) + " to " +
                                std::to_string(UINT32_MAX) + ".",
                            {});
  }
  return current_era + usual_distance;
}

void all_written::end() {
  if (facts_.nr_blocks > 0) {
    const contents_run all = {0, facts_.nr_blocks, facts_.current_era, {}};
    to_.eras({&all, 1});
  }
  to_.end();
}

}  // namespace era
