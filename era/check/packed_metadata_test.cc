// A check of what was packed must say what a check of the device says, damage and all.
#include "era/check/packed_metadata.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file_test_support.h"
#include "era/build/unpacked_metadata.h"
#include "era/check/check.h"
#include "era/read/metadata_test_support.h"
#include "persistent-data/faulty_device.h"
#include "persistent-data/file_device.h"

namespace {

using base::test::write_file;
using era::metadata_state;

class packed_metadata : public testing::Test {
 protected:
  void SetUp() override { era::test::write_with_snapshot(device_, era::test::model_in_era_6()); }

  void pack(pd::block_device& device) {
    base::output out(folder_ / "packed");
    base::no_progress progress;
    era::pack_metadata(device, metadata_state::live, out, progress);
    out.commit();
  }

  static std::string problems_of(pd::block_device& device) {
    era::test::problem_recorder recorder;
    base::no_progress progress;
    era::check(device, {}, recorder, progress);
    return recorder.text();
  }

  void expect_same(pd::block_device& device) {
    pack(device);
    pd::file_device unpacked = pd::file_device::open_perhaps_packed(
        folder_ / "packed", pd::file_device::sharing::exclusive);
    EXPECT_EQ(problems_of(unpacked), problems_of(device));
  }

  pd::memory_device device_{64, "meta"};
  base::test::temporary_folder folder_;
};

TEST_F(packed_metadata, is_checked_as_the_device_is) {
  EXPECT_EQ(problems_of(device_), "");
  expect_same(device_);
}

TEST_F(packed_metadata, has_the_damage_of_the_device) {
  for (pd::block_nr where = 0; where < 20; ++where) {
    SCOPED_TRACE(where);
    std::byte& byte = device_.block(where)[100];
    byte ^= std::byte{1};
    expect_same(device_);
    byte ^= std::byte{1};
  }
}

TEST_F(packed_metadata, says_which_blocks_could_not_be_read) {
  for (pd::block_nr where = 0; where < 20; ++where) {
    SCOPED_TRACE(where);
    pd::faulty_device failing(device_);
    failing.fail_reads_of(where);
    expect_same(failing);
  }
}

TEST_F(packed_metadata, leaves_out_what_is_free_and_keeps_all_where_nobody_knows) {
  const auto blocks_packed = [&] {
    pack(device_);
    const base::file_handle file(::open((folder_ / "packed").c_str(), O_RDONLY | O_CLOEXEC));
    return pd::unpack_blocks(file.fd(), "packed").present;
  };
  std::fill_n(device_.block(60), pd::block_size, std::byte{42});
  EXPECT_FALSE(std::ranges::binary_search(blocks_packed(), 60U));
  device_.block(0)[10] ^= std::byte{1};
  EXPECT_TRUE(std::ranges::binary_search(blocks_packed(), 60U));
  std::fill_n(device_.block(0), pd::block_size, std::byte{0});
  EXPECT_EQ(blocks_packed().front(), 0U);
}

TEST_F(packed_metadata, is_put_back_superblock_last) {
  pack(device_);
  const base::file_handle file(::open((folder_ / "packed").c_str(), O_RDONLY | O_CLOEXEC));
  const pd::unpacked_blocks blocks = pd::unpack_blocks(file.fd(), "packed");
  base::no_progress progress;
  for (std::uint64_t writes = 0;; ++writes) {
    pd::memory_device stable(64, "copy");
    pd::faulty_device failing(stable);
    failing.fail_after_writes(writes);
    try {
      era::write_unpacked(blocks, failing, progress);
      EXPECT_EQ(problems_of(stable), "");
      EXPECT_GT(writes, 2U);
      break;
    } catch (const base::io_error&) {
      EXPECT_NE(problems_of(stable), "");
    }
  }
  pd::memory_device small(63, "small");
  EXPECT_THROW(era::write_unpacked(blocks, small, progress), base::io_error);
  EXPECT_TRUE(base::is_zero(small.block(0), pd::block_size)) << "it was written to";
}

}  // namespace
