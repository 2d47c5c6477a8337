// Holds the sizes against the target's metadata in the worst that can be done to it.
#include "era/report/sizes.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/process_test_support.h"
#include "era/build/metadata_builder.h"
#include "era/target/live_metadata.h"
#include "persistent-data/memory_device.h"
#include "persistent-data/transaction_manager.h"

namespace {

using era::metadata_demand;
using era::metadata_sizes;
using era::sizes_of;

// Every block is written in every era, as many eras are archived as there may be, and all of them
// digested with no commit between; with a snapshot that was taken while as many were archived.
class worst_schedule {
 public:
  worst_schedule(const metadata_demand& demand, pd::block_nr metadata_blocks)
      : demand_(demand), device_(metadata_blocks, "meta"), metadata_(device_, 128) {}

  void run() {
    metadata_.resize(static_cast<std::uint32_t>(demand_.nr_blocks));
    metadata_.begin_era();
    for (int round = 0; round < 3; ++round) {
      for (std::uint64_t i = 0; i < demand_.writesets; ++i) {
        mark_all();
        metadata_.begin_era();
      }
      if (demand_.snapshot && round == 0) {
        metadata_.take_snapshot();
      }
      digest_all();
      mark_all();
      digest_all();
      metadata_.begin_era();
      digest_all();
      metadata_.commit();
    }
  }

 private:
  void mark_all() {
    const era::block_range all{0, demand_.nr_blocks};
    metadata_.mark({&all, 1});
  }

  void digest_all() {
    while (metadata_.digest_step()) {
    }
  }

  metadata_demand demand_;
  pd::memory_device device_;
  era::live_metadata metadata_;
};

bool is_enough(const metadata_demand& demand, pd::block_nr metadata_blocks) {
  try {
    worst_schedule(demand, metadata_blocks).run();
    return true;
  } catch (const pd::out_of_space&) {
    return false;
  }
}

const metadata_demand grid[] = {
    {1, 0, false},      {1, 0, true},       {1, 1, true},       {1, 16, true},
    {1, 500, true},     {1018, 4, false},   {1019, 4, true},    {5000, 64, true},
    {20000, 16, false}, {20000, 250, true}, {32576, 16, true},  {32577, 16, false},
    {100000, 0, false}, {100000, 1, true},  {100000, 16, true}, {400000, 2, true},
};

bool is_too_much_for_sanitizers([[maybe_unused]] const metadata_demand& demand) {
#ifdef TESTS_ARE_SANITIZED
  return demand.nr_blocks * (demand.writesets + 1) > 400'000;
#else
  return false;
#endif
}

TEST(sizes, of_metadata_in_use_are_enough_and_hardly_too_much) {
  for (const metadata_demand& demand : grid) {
    if (is_too_much_for_sanitizers(demand)) {
      continue;
    }
    SCOPED_TRACE(std::to_string(demand.nr_blocks) + " blocks, " + std::to_string(demand.writesets) +
                 " writesets" + (demand.snapshot ? ", snapshot" : ""));
    const metadata_sizes sizes = sizes_of(demand);
    EXPECT_TRUE(is_enough(demand, sizes.recommended));
    EXPECT_TRUE(is_enough(demand, sizes.in_use));
    EXPECT_FALSE(is_enough(demand, std::min(sizes.in_use - 1, sizes.in_use * 95 / 100)));
    EXPECT_GE(sizes.recommended, sizes.in_use + sizes.in_use / 8);
    EXPECT_EQ(sizes.recommended % 256, 0U);
  }
}

// Metadata with these writesets, each of the whole device, in so many blocks.
bool can_be_restored(const metadata_demand& demand, pd::block_nr metadata_blocks) {
  pd::memory_device device(metadata_blocks, "meta");
  const auto nr_blocks = static_cast<std::uint32_t>(demand.nr_blocks);
  const auto nr_writesets = static_cast<std::uint32_t>(demand.writesets);
  try {
    era::metadata_builder builder(device);
    builder.begin({.block_size = 128, .nr_blocks = nr_blocks, .current_era = nr_writesets + 1});
    for (std::uint32_t era = 1; era <= nr_writesets; ++era) {
      builder.begin_writeset(era, nr_blocks, {});
      builder.end_writeset();
    }
    builder.end();
    return true;
  } catch (const base::io_error&) {
    return false;
  }
}

TEST(sizes, to_restore_are_exact) {
  for (const metadata_demand& demand : grid) {
    SCOPED_TRACE(std::to_string(demand.nr_blocks) + " " + std::to_string(demand.writesets));
    const pd::block_nr blocks = sizes_of(demand).to_restore;
    EXPECT_TRUE(can_be_restored(demand, blocks));
    EXPECT_FALSE(can_be_restored(demand, blocks - 1));
  }
}

TEST(sizes, grow_with_what_is_demanded_and_never_wrap_around) {
  pd::block_nr last = 0;
  for (const std::uint64_t writesets : {0UL, 1UL, 1000UL, 1000000UL, UINT64_MAX / 2, UINT64_MAX}) {
    const metadata_sizes sizes = sizes_of({2147483647, writesets, true});
    EXPECT_GE(sizes.in_use, last);
    EXPECT_GE(sizes.in_use, sizes.to_restore);
    EXPECT_GE(sizes.recommended, sizes.in_use);
    last = sizes.in_use;
  }
  EXPECT_GT(last, pd::max_metadata_blocks);
}

TEST(sizes, say_how_many_writesets_there_is_room_for) {
  for (const bool snapshot : {false, true}) {
    for (const std::uint64_t nr_blocks : {1U, 5000U, 100000U, 16777216U}) {
      for (const std::uint64_t writesets : {0U, 1U, 16U, 300U}) {
        const pd::block_nr blocks = sizes_of({nr_blocks, writesets, snapshot}).in_use;
        EXPECT_EQ(era::writesets_within(blocks, nr_blocks, snapshot), writesets);
      }
      const pd::block_nr least = sizes_of({nr_blocks, 0, snapshot}).in_use;
      EXPECT_EQ(era::writesets_within(least - 1, nr_blocks, snapshot), std::nullopt);
    }
  }
  EXPECT_EQ(era::writesets_within(0, 1, false), std::nullopt);
}

TEST(sizes, of_the_kernels_memory_are_two_bits_a_block) {
  EXPECT_EQ(era::kernel_memory(0), 0U);
  EXPECT_EQ(era::kernel_memory(1), 16U);
  EXPECT_EQ(era::kernel_memory(16777216), 4194304U);
}

}  // namespace
