// A target whose metadata device fails at any read or write while its users go on, and that then
// loses its power: every write that was completed is found, under its era or a later one.
#include <gtest/gtest.h>

#include "base/error.h"
#include "era/target/target_test_support.h"

namespace {

using era::test::table_of;
using era::test::test_devices;

constexpr std::uint32_t block_size = 8;
constexpr std::uint64_t sectors = 8192;

// Not every read and write is tried, for the sake of time: strides that fit no period of theirs.
constexpr std::uint64_t read_stride = 1;
constexpr std::uint64_t write_stride = 5;
constexpr std::uint64_t block_stride = 5;

// Users of a target who go on after every failure, and remember what was completed.
class users {
 public:
  explicit users(test_devices& devices) : devices_(devices), completed_(sectors / block_size) {}

  // Two lives of a target, the second of which goes on from what the first has left.
  void run() {
    for (std::uint64_t life = 0; life < 2; ++life) {
      try {
        era::target target(table_of(sectors, block_size), devices_);
        attempt([&] { target.resume(); });
        use(target, life);
        attempt([&] { target.suspend(); });
      } catch (const base::error&) {
        ++failures;
      }
    }
  }

  const std::vector<std::uint32_t>& completed() const { return completed_; }

  int failures = 0;

 private:
  void use(era::target& target, std::uint64_t life) {
    for (std::uint64_t n = 0; n < 4; ++n) {
      write(target, life * 100 + n * 800, 1000);
      attempt([&] { target.message(n == 1 ? "take_metadata_snap" : "checkpoint"); });
      write(target, n * 400, 8);
      attempt([&] {
        for (int steps = 0; steps < 6; ++steps) {
          target.step();
        }
      });
      attempt([&] { target.status_info(); });
    }
    attempt([&] { target.message("drop_metadata_snap"); });
    attempt([&] { era::test::settle(target); });
    write(target, 4000 + life * 8, 8);
  }

  void write(era::target& target, std::uint64_t sector, std::uint64_t nr_sectors) {
    attempt([&] {
      try {
        era::test::write(target, sector, nr_sectors);
      } catch (...) {
        target.drop_waiting();
        throw;
      }
      for (std::uint64_t block = sector / block_size; block * block_size < sector + nr_sectors;
           ++block) {
        completed_[block] = target.current_era();
      }
    });
  }

  void attempt(const std::function<void()>& what) {
    try {
      what();
    } catch (const base::error&) {
      ++failures;
    }
  }

  test_devices& devices_;
  std::vector<std::uint32_t> completed_;  // the era of the last completed write of each block
};

void expect_found(pd::block_device& device, const std::vector<std::uint32_t>& completed) {
  const std::vector<std::uint32_t> found = era::test::eras_of(device);
  for (std::size_t block = 0; block < completed.size(); ++block) {
    ASSERT_GE(block < found.size() ? found[block] : 0, completed[block]) << "block " << block;
  }
}

// Metadata that has been in use.
void begin(test_devices& devices) {
  users(devices).run();
}

class failing_metadata : public testing::Test {
 protected:
  failing_metadata() {
    test_devices devices(200, sectors);
    begin(devices);
    const std::uint64_t reads = devices.metadata_device.reads_seen();
    const std::uint64_t writes = devices.metadata_device.writes_seen();
    users again(devices);
    again.run();
    EXPECT_EQ(again.failures, 0);
    reads_ = devices.metadata_device.reads_seen() - reads;
    writes_ = devices.metadata_device.writes_seen() - writes;
  }

  // Runs with a device that `spoil` has told to fail, and returns how often the users noticed.
  static int run(const std::function<void(pd::faulty_device&)>& spoil, std::uint64_t seed) {
    test_devices devices(200, sectors);
    begin(devices);
    spoil(devices.metadata_device);
    users after(devices);
    after.run();
    std::mt19937_64 random(seed);
    devices.metadata_device.cut_power(random);
    expect_found(devices.stable, after.completed());
    EXPECT_TRUE(era::read_sound_state(devices.stable));

    users later(devices);
    later.run();
    EXPECT_LE(later.failures, 1) << "the device works again; a snapshot may still be held";
    expect_found(devices.metadata_device, later.completed());
    return after.failures;
  }

  std::uint64_t reads_ = 0;
  std::uint64_t writes_ = 0;
};

TEST_F(failing_metadata, loses_no_write_when_any_read_fails) {
  ASSERT_GT(reads_, 20U);
  int noticed = 0;
  for (std::uint64_t n = 0; n < reads_; n += read_stride) {
    SCOPED_TRACE("read " + std::to_string(n));
    noticed += run([&](pd::faulty_device& device) { device.fail_read_after(n); }, n) > 0 ? 1 : 0;
    run([&](pd::faulty_device& device) { device.fail_after_reads(n); }, n);
  }
  EXPECT_GT(noticed, 0);
}

TEST_F(failing_metadata, loses_no_write_when_any_write_fails) {
  ASSERT_GT(writes_, 100U);
  for (std::uint64_t n = 0; n < writes_; n += write_stride) {
    SCOPED_TRACE("after " + std::to_string(n) + " writes");
    const auto spoil = [&](pd::faulty_device& device) { device.fail_after_writes(n); };
    EXPECT_GT(run(spoil, n), 0);
  }
}

TEST_F(failing_metadata, loses_no_write_when_a_block_cannot_be_written) {
  for (pd::block_nr block = 0; block < 200; block += block_stride) {
    SCOPED_TRACE("block " + std::to_string(block));
    test_devices devices(200, sectors);
    begin(devices);
    devices.metadata_device.fail_writes_of(block);
    users after(devices);
    after.run();
    std::mt19937_64 random(block);
    devices.metadata_device.cut_power(random);
    expect_found(devices.stable, after.completed());
    EXPECT_TRUE(era::read_sound_state(devices.stable));
  }
}

}  // namespace
