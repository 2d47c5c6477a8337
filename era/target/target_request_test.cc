// Which requests mark a block, what reaches the origin, and when (doc/target.md 4).
#include <gtest/gtest.h>

#include "base/file_test_support.h"
#include "era/target/target_test_support.h"

namespace {

using base::test::message_of;
using era::block_range;
using era::request;
using era::test::contents_for;
using era::test::eras_of;
using era::test::table_of;
using era::test::test_devices;
using era::test::write;
using kind = era::request::kind;
using blocks = std::vector<std::uint64_t>;
using log = std::vector<std::string>;

constexpr std::uint32_t block_size = 24;
constexpr std::uint64_t sectors = 790;  // 33 blocks, the last one partial

class requests : public testing::Test {
 protected:
  requests() {
    devices_.data.before_write = [this](const block_range& written) { require_marked(written); };
    target_.resume();
  }

  // No write may be sent before its marks are on stable storage.
  void require_marked(const block_range& written) {
    const std::vector<std::uint32_t> eras = eras_of(devices_.stable);
    for (std::uint64_t sector = written.first; sector < written.end; ++sector) {
      ASSERT_EQ(eras[sector / block_size], target_.current_era()) << "sector " << sector;
    }
  }

  void send(kind what, std::uint64_t sector, std::uint64_t nr_sectors) {
    target_.map({what, sector, nr_sectors});
    target_.work();
  }

  std::vector<std::byte> read(std::uint64_t sector, std::uint64_t nr_sectors) {
    std::vector<std::byte> bytes(nr_sectors * era::sector_bytes);
    target_.map({kind::read, sector, nr_sectors, bytes});
    return bytes;
  }

  // Data blocks that stand in the present era.
  blocks marked() {
    const std::vector<std::uint32_t> eras = eras_of(devices_.stable);
    blocks found;
    for (std::uint64_t block = 0; block < eras.size(); ++block) {
      if (eras[block] == target_.current_era()) {
        found.push_back(block);
      }
    }
    return found;
  }

  test_devices devices_{64, 800};
  era::target target_{table_of(sectors, block_size), devices_};
};

TEST_F(requests, that_write_mark_every_block_they_touch) {
  write(target_, 0, 1);
  EXPECT_EQ(marked(), (blocks{0}));
  write(target_, 71, 2);
  EXPECT_EQ(marked(), (blocks{0, 2, 3}));
  write(target_, 23, 26);
  EXPECT_EQ(marked(), (blocks{0, 1, 2, 3}));
  write(target_, 789, 1);
  EXPECT_EQ(marked(), (blocks{0, 1, 2, 3, 32}));
  target_.message("checkpoint");
  EXPECT_EQ(marked(), blocks{});
  send(kind::write_zeroes, 47, 2);
  EXPECT_EQ(marked(), (blocks{1, 2}));
}

TEST_F(requests, that_discard_mark_their_first_block_alone) {
  send(kind::discard, 30, 700);
  EXPECT_EQ(marked(), (blocks{1}));
  send(kind::discard, 48, 24);
  EXPECT_EQ(marked(), (blocks{1, 2}));
  send(kind::discard, 40, 100);
  EXPECT_EQ(marked(), (blocks{1, 2}));
  EXPECT_EQ(devices_.data.log, (log{"discard 30 700", "discard 48 24", "discard 40 100"}));
}

TEST_F(requests, that_read_or_flush_mark_nothing_and_do_not_wait) {
  read(0, 790);
  target_.map({kind::flush});
  EXPECT_EQ(devices_.data.log, (log{"read 0 790", "flush"}));
  EXPECT_EQ(marked(), blocks{});
}

TEST_F(requests, without_sectors_mark_nothing) {
  write(target_, 24, 0);
  send(kind::write_zeroes, 790, 0);
  send(kind::discard, 24, 0);
  EXPECT_EQ(marked(), blocks{});
}

TEST_F(requests, beyond_the_end_are_refused_whole) {
  const auto bytes = contents_for(1, 30);
  for (const kind what : {kind::read, kind::write, kind::write_zeroes, kind::discard}) {
    EXPECT_EQ(message_of<era::refused>([&] {
                target_.map({what, 780, 11, {}, bytes});
              }),
              "the request goes beyond the end of the device, sector 790");
    EXPECT_THROW(target_.map({what, 791, 0, {}, bytes}), era::refused);
    EXPECT_THROW(target_.map({what, UINT64_MAX, 8, {}, bytes}), era::refused);
    EXPECT_THROW(target_.map({what, 8, UINT64_MAX, {}, bytes}), era::refused);
  }
  target_.work();
  EXPECT_TRUE(devices_.data.log.empty());
  EXPECT_EQ(marked(), blocks{});
}

TEST_F(requests, that_write_unmarked_blocks_wait_for_work) {
  const auto bytes = contents_for(1, 10);
  target_.map({kind::write, 30, 10, {}, bytes});
  target_.map({kind::discard, 100, 200});
  EXPECT_TRUE(devices_.data.log.empty());
  EXPECT_EQ(marked(), blocks{});
  target_.work();
  EXPECT_EQ(devices_.data.log, (log{"write 30 10", "discard 100 200"}));
  EXPECT_EQ(marked(), (blocks{1, 4}));
}

TEST_F(requests, that_wait_are_sent_before_a_message_or_a_suspension_ends_the_era) {
  const auto bytes = contents_for(1, 10);
  target_.map({kind::write, 0, 10, {}, bytes});
  target_.message("checkpoint");
  EXPECT_EQ(target_.current_era(), 2U);
  EXPECT_EQ(eras_of(devices_.stable)[0], 1U);
  target_.map({kind::write, 24, 10, {}, bytes});
  target_.suspend();
  EXPECT_EQ(eras_of(devices_.stable)[1], 2U);
  EXPECT_EQ(devices_.data.log, (log{"write 0 10", "write 24 10"}));
}

TEST_F(requests, that_wait_are_one_commit) {
  const auto bytes = contents_for(1, 10);
  const std::uint64_t before = devices_.metadata_device.writes_seen();
  target_.map({kind::write, 0, 10, {}, bytes});
  target_.work();
  const std::uint64_t one = devices_.metadata_device.writes_seen() - before;
  for (std::uint64_t block = 1; block < 33; ++block) {
    target_.map({kind::write, block * block_size, 10, {}, bytes});
  }
  target_.work();
  EXPECT_EQ(devices_.metadata_device.writes_seen() - before, 2 * one);
  EXPECT_EQ(marked().size(), 33U);
}

TEST_F(requests, to_marked_blocks_go_through_at_once_and_touch_no_metadata) {
  write(target_, 0, 48);
  devices_.data.log.clear();
  const std::uint64_t before = devices_.metadata_device.writes_seen();
  const auto bytes = contents_for(2, 30);
  target_.map({kind::write, 10, 30, {}, bytes});
  target_.map({kind::write_zeroes, 24, 24});
  target_.map({kind::discard, 0, 700});
  EXPECT_EQ(devices_.data.log, (log{"write 10 30", "write 24 24", "discard 0 700"}));
  target_.work();
  EXPECT_EQ(devices_.metadata_device.writes_seen(), before);
  target_.message("checkpoint");
  write(target_, 0, 48);
  EXPECT_EQ(marked(), (blocks{0, 1})) << "a new era has to mark them again";
}

TEST_F(requests, of_marked_and_unmarked_blocks_are_cut_between_them) {
  write(target_, 24, 24);
  write(target_, 72, 48);
  devices_.data.log.clear();
  const auto bytes = contents_for(3, 160);
  target_.map({kind::write, 10, 160, {}, bytes});
  EXPECT_EQ(devices_.data.log, (log{"write 24 24", "write 72 48"}));
  target_.work();
  EXPECT_EQ(devices_.data.log,
            (log{"write 24 24", "write 72 48", "write 10 14", "write 48 24", "write 120 50"}));
  EXPECT_EQ(read(10, 160), bytes);
  EXPECT_EQ(marked(), (blocks{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(requests, that_fail_on_the_origin_are_reported_and_leave_the_mark) {
  write(target_, 0, 24);
  devices_.data.fails = true;
  EXPECT_THROW(write(target_, 0, 24), base::io_error);
  EXPECT_THROW(write(target_, 24, 24), base::io_error);
  EXPECT_THROW(read(0, 8), base::io_error);
  devices_.data.fails = false;
  EXPECT_EQ(marked(), (blocks{0, 1})) << "too much is harmless";
  write(target_, 24, 24);
  EXPECT_EQ(devices_.data.log, (log{"write 0 24", "write 24 24"}));
}

TEST_F(requests, at_random_leave_on_the_origin_what_was_written) {
  std::mt19937_64 random(7);
  std::vector<std::byte> expected = devices_.data.contents();
  std::vector<std::uint32_t> eras(33);
  for (std::uint64_t n = 0; n < 150; ++n) {
    const std::uint64_t sector = random() % sectors;
    const std::uint64_t most =
        std::min<std::uint64_t>(random() % 4 == 0 ? 300 : 40, sectors - sector);
    const std::uint64_t count = 1 + random() % most;
    const bool zeroes = random() % 5 == 0;
    const auto bytes =
        zeroes ? std::vector<std::byte>(count * era::sector_bytes) : contents_for(n, count);
    if (zeroes) {
      send(kind::write_zeroes, sector, count);
    } else {
      write(target_, sector, count, n);
    }
    std::copy(bytes.begin(), bytes.end(),
              expected.begin() + static_cast<std::ptrdiff_t>(sector * era::sector_bytes));
    std::fill(eras.begin() + static_cast<std::ptrdiff_t>(sector / block_size),
              eras.begin() + static_cast<std::ptrdiff_t>((sector + count - 1) / block_size + 1),
              target_.current_era());
    ASSERT_EQ(read(sector, count), bytes);
    if (n % 9 == 0) {
      target_.message("checkpoint");
      era::test::settle(target_);
    }
  }
  EXPECT_EQ(devices_.data.contents(), expected);
  EXPECT_EQ(eras_of(devices_.stable), eras);
}

}  // namespace
