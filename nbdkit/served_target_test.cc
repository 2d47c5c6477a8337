#include "nbdkit/served_target.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <random>

#include "era/target/target_test_support.h"

namespace {

using era::test::test_devices;
using served::served_target;
using writes = served_target::writes;

constexpr std::uint32_t block_sectors = 8;
constexpr std::uint64_t block_bytes = block_sectors * era::sector_bytes;
constexpr std::uint64_t nr_blocks = 300;

base::byte_range bytes_of(std::uint64_t block, std::uint64_t count = 1) {
  return {block * block_bytes, (block + count) * block_bytes};
}

class serving : public testing::Test {
 protected:
  serving() : devices_(200, nr_blocks * block_sectors) {
    target_ = std::make_unique<era::target>(
        era::test::table_of(nr_blocks * block_sectors, block_sectors), devices_);
    target_->resume();
    served_ = std::make_unique<served_target>(*target_, [this](const std::string& message) {
      const std::lock_guard held(mutex_);
      reports_.push_back(message);
    });
    served_->start();
  }

  void write(std::uint64_t block) { const auto pass = served_->begin_write(bytes_of(block)); }

  void checkpoint() {
    served_->call(writes::wait, [](era::target& target) { target.message("checkpoint"); });
  }

  std::uint32_t era() {
    std::uint32_t found = 0;
    served_->call(writes::go_on, [&](era::target& target) { found = target.current_era(); });
    return found;
  }

  void stop() {
    served_->stop();
    target_->suspend();
    ASSERT_EQ(era::test::problems_of(devices_.metadata_device), "");
  }

  // All calls that wait are begun, as far as that can be told.
  static void give_time() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

  test_devices devices_;
  std::unique_ptr<era::target> target_;
  std::mutex mutex_;
  std::vector<std::string> reports_;
  std::unique_ptr<served_target> served_;
};

TEST_F(serving, has_marks_committed_before_a_write_goes_on) {
  const auto pass = served_->begin_write(bytes_of(7, 3));
  const std::vector<std::uint32_t> eras = era::test::eras_of(devices_.stable);
  ASSERT_EQ(eras.size(), nr_blocks);
  for (std::uint64_t block = 0; block < nr_blocks; ++block) {
    EXPECT_EQ(eras[block], block >= 7 && block < 10 ? 1U : 0U) << block;
  }
}

TEST_F(serving, marks_every_block_that_has_a_byte_of_a_write) {
  { const auto pass = served_->begin_write({5 * block_bytes + 1, 6 * block_bytes + 1}); }
  { const auto pass = served_->begin_write({9 * block_bytes, 9 * block_bytes}); }
  stop();
  const std::vector<std::uint32_t> eras = era::test::eras_of(devices_.stable);
  EXPECT_EQ(std::count(eras.begin(), eras.end(), 1U), 2);
  EXPECT_EQ(eras[5], 1U);
  EXPECT_EQ(eras[6], 1U);
}

TEST_F(serving, commits_nothing_for_marked_blocks) {
  write(3);
  const std::uint64_t before = devices_.metadata_device.writes_seen();
  for (int i = 0; i < 100; ++i) {
    write(3);
  }
  EXPECT_EQ(devices_.metadata_device.writes_seen(), before);
}

// A job of the worker keeps it from committing until all are waiting.
TEST_F(serving, gives_all_writes_that_wait_one_commit) {
  constexpr std::uint64_t clients = 24;
  std::promise<void> go;
  std::thread busy([&] {
    served_->call(writes::go_on, [&](era::target& /*target*/) { go.get_future().wait(); });
  });
  give_time();
  const std::uint64_t before = devices_.metadata_device.writes_seen();
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < clients; ++i) {
    threads.emplace_back([&, i] { write(i * 10); });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  go.set_value();
  busy.join();
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::uint64_t together = devices_.metadata_device.writes_seen() - before;
  const std::uint64_t second = devices_.metadata_device.writes_seen();
  write(5);
  const std::uint64_t alone = devices_.metadata_device.writes_seen() - second;
  EXPECT_LT(together, 3 * alone);  // one or two commits, not two dozen
}

TEST_F(serving, lets_no_era_begin_while_a_write_is_under_way) {
  auto pass = std::make_unique<served_target::write_pass>(served_->begin_write(bytes_of(1)));
  std::atomic<bool> begun = false;
  std::thread caller([&] {
    checkpoint();
    begun = true;
  });
  give_time();
  EXPECT_FALSE(begun);
  EXPECT_EQ(era(), 1U);  // what need not wait passes by what has to
  pass.reset();
  caller.join();
  EXPECT_EQ(era(), 2U);
}

// Or a stream of writes would keep it away for ever.
TEST_F(serving, lets_new_writes_wait_for_an_era_that_is_due) {
  auto pass = std::make_unique<served_target::write_pass>(served_->begin_write(bytes_of(1)));
  std::thread caller([&] { checkpoint(); });
  give_time();
  std::atomic<bool> written = false;
  std::thread writer([&] {
    write(1);
    written = true;
  });
  give_time();
  EXPECT_FALSE(written);
  pass.reset();
  caller.join();
  writer.join();
  stop();
  EXPECT_EQ(era::test::eras_of(devices_.stable)[1], 2U);
}

TEST_F(serving, goes_on_marking_for_writes_under_way_while_an_era_is_due) {
  std::promise<void> go;
  std::thread busy([&] {
    served_->call(writes::go_on, [&](era::target& /*target*/) { go.get_future().wait(); });
  });
  give_time();
  std::thread writer([&] { write(4); });
  give_time();
  std::thread caller([&] { checkpoint(); });
  give_time();
  go.set_value();
  for (std::thread* thread : {&busy, &writer, &caller}) {
    thread->join();
  }
  stop();
  EXPECT_EQ(era::test::eras_of(devices_.stable)[4], 1U);
}

TEST_F(serving, hands_failures_of_a_job_to_who_wants_it) {
  EXPECT_THROW(served_->call(writes::wait, [](era::target& target) { target.message("hello"); }),
               era::refused);
  EXPECT_EQ(era(), 1U);
}

TEST_F(serving, refuses_writes_that_cannot_be_recorded_and_goes_on_with_marked_ones) {
  write(1);
  devices_.metadata_device.fail_after_writes(0);
  EXPECT_THROW(write(2), base::io_error);
  EXPECT_THROW(write(2), base::io_error);
  EXPECT_NO_THROW(write(1));
  EXPECT_THROW(checkpoint(), base::error);
  std::string status;
  served_->call(writes::go_on, [&](era::target& target) { status = target.status_info(); });
  EXPECT_EQ(status, "0 2400 era Error");
  served_->stop();
  EXPECT_EQ(era::test::problems_of(devices_.stable), "");
}

TEST_F(serving, fails_every_write_that_waits_for_a_commit_that_fails) {
  std::promise<void> go;
  std::thread busy([&] {
    served_->call(writes::go_on, [&](era::target& /*target*/) { go.get_future().wait(); });
  });
  give_time();
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      try {
        write(i * 10);
      } catch (const base::io_error&) {
        ++failures;
      }
    });
  }
  give_time();
  devices_.metadata_device.fail_after_writes(0);
  go.set_value();
  busy.join();
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(failures, 8);
}

TEST_F(serving, digests_when_idle_and_commits_that) {
  write(20);
  checkpoint();
  checkpoint();
  for (int i = 0; i < 500; ++i) {
    give_time();
    std::vector<std::uint32_t> archived;
    served_->call(writes::go_on, [&](era::target& /*target*/) {
      archived = era::test::archived_in(devices_.stable);
    });
    if (archived.empty()) {
      return;
    }
  }
  FAIL() << "nothing was digested within ten seconds";
}

// Each commit of marks takes a step with it: 300 blocks are three steps an era, and two more.
TEST_F(serving, digests_under_load_too) {
  for (int i = 0; i < 4; ++i) {
    checkpoint();
  }
  std::uint64_t block = 0;
  std::vector<std::uint32_t> archived = {1};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!archived.empty() && block < nr_blocks && std::chrono::steady_clock::now() < deadline) {
    write(block++);
    served_->call(writes::go_on, [&](era::target& /*target*/) {
      archived = era::test::archived_in(devices_.stable);
    });
  }
  EXPECT_TRUE(archived.empty());
}

TEST_F(serving, tells_of_a_digestion_that_fails) {
  served_->call(writes::wait, [this](era::target& target) {
    target.message("checkpoint");
    devices_.metadata_device.fail_after_writes(0);
    devices_.metadata_device.fail_after_reads(0);
  });
  for (int i = 0; i < 500; ++i) {
    give_time();
    const std::lock_guard held(mutex_);
    if (!reports_.empty()) {
      EXPECT_NE(reports_.front().find("meta"), std::string::npos) << reports_.front();
      return;
    }
  }
  FAIL() << "nothing was told within ten seconds";
}

TEST_F(serving, refuses_all_once_it_is_stopped) {
  write(1);
  served_->stop();
  EXPECT_THROW(write(1), base::io_error);
  EXPECT_THROW(checkpoint(), base::io_error);
}

// The promise, whatever runs beside what: a write that has completed is listed under the era that
// was current when it was asked for, or a later one.
TEST_F(serving, loses_no_write_of_many_clients) {
  constexpr std::size_t clients = 6;
  std::atomic<std::uint32_t> era_known = 1;
  std::array<std::vector<std::uint32_t>, clients> bounds;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients; ++i) {
    bounds[i].assign(nr_blocks, 0);
    threads.emplace_back([&, i] {
      std::mt19937_64 random(i);
      for (int n = 0; n < 400; ++n) {
        const std::uint64_t block = random() % nr_blocks;
        const std::uint64_t count = std::min<std::uint64_t>(1 + random() % 3, nr_blocks - block);
        const std::uint32_t known = era_known;
        { const auto pass = served_->begin_write(bytes_of(block, count)); }
        for (std::uint64_t at = block; at < block + count; ++at) {
          bounds[i][at] = std::max(bounds[i][at], known);
        }
      }
    });
  }
  for (int n = 0; n < 30; ++n) {
    checkpoint();
    era_known = era();
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  stop();
  const std::vector<std::uint32_t> eras = era::test::eras_of(devices_.stable);
  ASSERT_EQ(eras.size(), nr_blocks);
  for (const std::vector<std::uint32_t>& bound : bounds) {
    for (std::uint64_t block = 0; block < nr_blocks; ++block) {
      EXPECT_GE(eras[block], bound[block]) << block;
    }
  }
}

}  // namespace
