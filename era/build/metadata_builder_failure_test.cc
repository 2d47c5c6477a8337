// A builder whose device fails at any write or flush, and then loses its power: what is found is
// the metadata that was there, or none that anybody takes, or the new one.
#include <gtest/gtest.h>

#include "base/error.h"
#include "era/read/metadata_test_support.h"
#include "era/simulation/era_model.h"
#include "persistent-data/faulty_device.h"

namespace {

constexpr std::uint32_t nr_blocks = 5000;

void build(pd::block_device& device) {
  era::metadata_builder building(device);
  building.begin({8, nr_blocks, 9});
  building.begin_writeset(9, nr_blocks, {});
  const era::contents_run bits{100, 50, 1, {}};
  building.bits({&bits, 1});
  building.end_writeset();
  const era::contents_run eras{0, 4000, 7, {}};
  building.eras({&eras, 1});
  building.end();
}

pd::memory_device old_metadata() {
  pd::memory_device device(64);
  era::test::model old;
  old.current_era = 3;
  old.array.assign(nr_blocks, 2);
  write_metadata(device, old);
  return device;
}

// Empty if no reader takes it for metadata.
std::optional<era::era_state> state_of(pd::block_device& device) {
  try {
    return era::read_sound_state(device);
  } catch (const base::data_error&) {
    return std::nullopt;
  }
}

bool is_zero(const std::byte* block) {
  return std::all_of(block, block + pd::block_size, [](std::byte b) { return b == std::byte{0}; });
}

struct outcomes {
  int with_old = 0;
  int refused = 0;
  int with_new = 0;
};

// What is left where the device fails after so many block writes, and the power is cut.
void fail_after(std::uint64_t writes, std::uint64_t seed, outcomes& seen) {
  pd::memory_device stable = old_metadata();
  pd::faulty_device device(stable);
  device.fail_after_writes(writes);
  EXPECT_THROW(build(device), base::io_error);
  std::mt19937_64 random(seed);
  device.cut_power(random);

  EXPECT_FALSE(is_zero(stable.block(0))) << "a target would format it";
  const std::optional<era::era_state> found = state_of(stable);
  if (!found) {
    ++seen.refused;
  } else if (found->current_era == 3) {
    EXPECT_EQ(found->eras, std::vector<std::uint32_t>(nr_blocks, 2));
    ++seen.with_old;
  } else {
    EXPECT_EQ(found->current_era, 9U);
    EXPECT_EQ(found->eras[0], 7U);
    EXPECT_EQ(found->eras[149], 9U);
    EXPECT_EQ(found->eras[4000], 0U);
    ++seen.with_new;
  }
}

TEST(metadata_builder, leaves_the_old_metadata_or_none_or_the_new_after_any_write) {
  std::uint64_t writes = 0;
  {
    pd::memory_device stable = old_metadata();
    pd::faulty_device counting(stable);
    build(counting);
    writes = counting.writes_seen();
  }
  ASSERT_GT(writes, 10U);
  outcomes seen;
  for (std::uint64_t n = 0; n <= writes; ++n) {
    const std::uint64_t cuts = n == writes ? 8 : 1;  // of the superblock above all
    for (std::uint64_t seed = n; seed < n + cuts; ++seed) {
      SCOPED_TRACE("after " + std::to_string(n) + " writes, cut " + std::to_string(seed));
      const int with_new = seen.with_new;
      fail_after(n, seed, seen);
      EXPECT_TRUE(n == writes || seen.with_new == with_new) << "without its superblock";
    }
  }
  EXPECT_GT(seen.with_old, 0);
  EXPECT_GT(seen.refused, 0);
  EXPECT_GT(seen.with_new, 0);
}

}  // namespace
