// What a real kernel writes, the tools read: schedules run in a guest, and the tools' answers are
// held against a plain model of the device.
#include <cstdint>
#include <string>
#include <vector>

#include "../catch.h"
#include "batch.h"
#include "guest.h"
#include "guest_schedule.h"

namespace {

using kernel::action;
using kernel::author;
using kernel::guest_schedule;

const std::vector<std::string> none;

std::vector<std::string> troubles_of(const std::vector<guest_schedule>& schedules) {
  kernel::batch batch;
  for (const auto& schedule : schedules) {
    batch.add(schedule);
  }
  return batch.run();
}

// Every kind of request in an era of its own, over the same blocks and others.
guest_schedule every_kind(std::uint32_t block_size) {
  author author("kinds" + std::to_string(block_size), block_size, 700 * block_size + 3);
  std::uint64_t block = 1;
  for (const auto kind : {action::write, action::write_sync, action::write_buffered,
                          action::write_zeroes, action::discard, action::read}) {
    author.io(kind, block, 5).io(kind, 300, 4).io(kind, 700).checkpoint();
    block += 10;
  }
  for (const auto kind : {action::write, action::write_zeroes, action::discard}) {
    const auto last_sector_of = (block + 1) * block_size - 1;
    author.io_sectors(kind, last_sector_of, 2).io_sectors(kind, 700 * block_size + 1, 1);
    author.checkpoint();
    block += 10;
  }
  return author.flush().checkpoint().status().finish();
}

guest_schedule snapshots() {
  constexpr std::uint64_t block = 64;
  author author("snapshots", block, 2000 * block);
  author.write(1, 100).refused("drop_metadata_snap").take_snapshot().status();
  author.write(50, 100).refused("take_metadata_snap").checkpoint().write(10).settle();
  author.drop_snapshot().status().write(20).take_snapshot().write(30).checkpoint().write(40);
  author.settle().create_again().write(35).status().checkpoint().write(45).cut_power();
  author.create_again().write(36).settle().drop_snapshot().status();
  return author.create_again().write(37).finish();
}

// Across the borders of array blocks (1018 elements), and back.
guest_schedule grow_and_shrink() {
  constexpr std::uint64_t block = 24;
  author author("resize", block, 3000 * block);
  author.write(0, 3000 / 30).write(2990, 10).checkpoint().write_zeroes(1000, 1500);
  author.reload(2036 * block).write(2035).settle().status();
  author.reload(1018 * block).write(1017).checkpoint().write(500, 3);
  author.reload(1500 * block + 7).write(1500).write(1100, 10).settle();
  author.create_again(2500 * block).write(2400, 10).take_snapshot();
  author.reload(100 * block).write(99).status().cut_power();
  return author.create_again(4000 * block).write(3999).write(98, 10).status().finish();
}

guest_schedule suspends() {
  constexpr std::uint64_t block = 40;
  author author("suspends", block, 5000 * block + 1);
  for (std::uint64_t i = 0; i < 8; ++i) {
    author.write(i * 100, 30).suspend().resume().status().write(i * 100 + 20, 30);
    author.reload(5000 * block + 1);
  }
  return author.suspend().finish();
}

guest_schedule many_eras() {
  author author("many", 8, 12000);
  for (std::uint64_t i = 0; i < 120; ++i) {
    author.write(i * 13 % 1490, i % 7 + 1).checkpoint();
  }
  return author.status().finish();
}

// So many blocks written that digestion has not caught up when the device goes.
guest_schedule undigested(kernel::ending end) {
  author author(end == kernel::ending::removed ? "undigested" : "undigested_cut", 8, 480000);
  author.metadata_bytes(4 << 20);
  for (std::uint64_t i = 0; i < 5; ++i) {
    author.write_zeroes(i * 5000, 30000).checkpoint();
  }
  author.write(7, 100);
  if (end == kernel::ending::power_cut) {
    author.cut_power();
  }
  return author.finish();
}

// An era array and bitsets whose trees have two levels.
guest_schedule two_levels() {
  author author("large", 8, 2400005);
  author.metadata_bytes(8 << 20).write(299999, 2).write(1017, 2).write_zeroes(150000, 1000);
  author.checkpoint().write(256535, 3).write(150100, 10).take_snapshot().write(32575, 2);
  return author.cut_power().create_again().write(260000).settle().finish();
}

guest_schedule untouched(kernel::ending end) {
  author author(end == kernel::ending::removed ? "untouched" : "untouched_cut", 128, 131072);
  return end == kernel::ending::removed ? author.finish() : author.cut_power().finish();
}

}  // namespace

TEST_CASE("random schedules on a real kernel read as the model says") {
  if (!kernel::available()) {
    return;
  }
  std::vector<guest_schedule> schedules;
  for (std::uint64_t seed = 1; seed <= (harness::at_length() ? 10 : 4); ++seed) {
    schedules.push_back(kernel::random_schedule(seed));
  }
  CHECK(troubles_of(schedules) == none);
}

TEST_CASE("schedules written by hand on a real kernel read as the model says") {
  if (!kernel::available()) {
    return;
  }
  CHECK(troubles_of({every_kind(8), every_kind(24), every_kind(200), snapshots(), grow_and_shrink(),
                     suspends(), many_eras(), undigested(kernel::ending::removed),
                     undigested(kernel::ending::power_cut), two_levels(),
                     untouched(kernel::ending::removed), untouched(kernel::ending::power_cut)}) ==
        none);
}
