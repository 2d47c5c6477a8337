// A usual piece of metadata and its check, for tests of the check.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "era/check/check.h"
#include "era/read/metadata_test_support.h"

namespace era::test {

using names = std::vector<std::string>;

inline constexpr block_nr metadata_blocks = 100;

// Eras 4 and 5 archived, 6 open, 3000 data blocks.
inline model usual_model() {
  std::mt19937_64 random(1);
  model m;
  m.current_era = 6;
  for (std::uint32_t b = 0; b < 3000; ++b) {
    m.array.push_back(b % 5);
  }
  m.archived.push_back({4, random_bits(3000, 30, random)});
  m.archived.push_back({5, random_bits(3000, 30, random)});
  m.current = random_bits(3000, 10, random);
  return m;
}

// The last-written era of every block.
inline std::vector<std::uint32_t> eras_of_model(const model& m) {
  std::vector<std::uint32_t> eras;
  for (std::uint64_t block = 0; block < m.nr_blocks(); ++block) {
    eras.push_back(m.last_written(block));
  }
  return eras;
}

inline check_summary check(pd::block_device& device, problem_recorder& problems,
                           const check_options& options = {}) {
  base::no_progress progress;
  return era::check(device, options, problems, progress);
}

inline names problem_names_of(pd::block_device& device) {
  problem_recorder problems;
  const check_summary summary = check(device, problems);
  EXPECT_EQ(summary.errors + summary.nonfatal + summary.remarks, problems.problems.size());
  return problems.names();
}

}  // namespace era::test
