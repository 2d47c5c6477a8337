// Power cuts at every device write of random schedules: writes, checkpoints, snapshots, resizes and
// digestion under way. At each write and flush the device is asked what could be left of it if the
// power failed now: any subset of the sectors that were not flushed. Each such state must be sound
// without a leak, hold every write that completed, and take the target up again. And no write may
// reach the origin before its mark would survive the worst cut.
//
// ERA_POWER_CUT_SEEDS in the environment sets the number of schedules, for longer runs.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "base/error.h"
#include "era/check/check.h"
#include "era/read/metadata_test_support.h"
#include "era/simulation/schedule.h"
#include "era/simulation/simulator.h"

namespace {

using era::script_command;
using era::verb;
using pd::block_nr;

constexpr std::size_t sector = 512;
constexpr block_nr metadata_blocks = 1024;

using block_bytes = std::vector<std::byte>;

void apply(const block_bytes& from, std::byte* to, const std::function<bool()>& survives) {
  for (std::size_t at = 0; at < pd::block_size; at += sector) {
    if (survives()) {
      std::memcpy(to + at, from.data() + at, sector);
    }
  }
}

// What is left of another device after a power cut; changes to it stay here.
class device_after_cut final : public pd::block_device {
 public:
  explicit device_after_cut(pd::memory_device& stable) : stable_(stable) {}

  void survive(block_nr where, const block_bytes& written, const std::function<bool()>& survives) {
    block_bytes left(stable_.block(where), stable_.block(where) + pd::block_size);
    apply(written, left.data(), survives);
    own_[where] = std::move(left);
  }

  block_nr nr_blocks() const override { return stable_.nr_blocks(); }
  const std::string& name() const override { return stable_.name(); }
  void read(std::span<pd::read_request> batch) override {
    for (pd::read_request& request : batch) {
      std::memcpy(request.into, block(request.where), pd::block_size);
      request.error = 0;
    }
  }
  void write(std::span<const pd::write_request> batch) override {
    for (const pd::write_request& request : batch) {
      own_[request.where] = block_bytes(request.from, request.from + pd::block_size);
    }
  }
  void flush() override {}

  const std::byte* block(block_nr where) const {
    const auto found = own_.find(where);
    return found == own_.end() ? stable_.block(where) : found->second.data();
  }

 private:
  pd::memory_device& stable_;
  std::map<block_nr, block_bytes> own_;
};

// Reports every moment at which a power cut finds another state than before.
class watched_device final : public pd::block_device {
 public:
  explicit watched_device(std::function<void()> before_change)
      : stable_(metadata_blocks, "metadata"), before_change_(std::move(before_change)) {}

  block_nr nr_blocks() const override { return stable_.nr_blocks(); }
  const std::string& name() const override { return stable_.name(); }
  void read(std::span<pd::read_request> batch) override {
    stable_.read(batch);
    for (pd::read_request& request : batch) {
      if (const auto found = unflushed_.find(request.where); found != unflushed_.end()) {
        std::memcpy(request.into, found->second.data(), pd::block_size);
      }
    }
  }
  void write(std::span<const pd::write_request> batch) override {
    for (const pd::write_request& request : batch) {
      before_change_();
      unflushed_[request.where] = block_bytes(request.from, request.from + pd::block_size);
      if (request.where == 0) {
        superblocks_ = {std::exchange(last_superblock_, unflushed_[0]), unflushed_[0]};
      }
    }
  }
  void flush() override {
    before_change_();
    for (const auto& [where, bytes] : unflushed_) {
      std::memcpy(stable_.block(where), bytes.data(), pd::block_size);
    }
    unflushed_.clear();
  }

  // What the power leaves; the choice is for `survives`, sector by sector.
  device_after_cut cut(const std::function<bool()>& survives) {
    device_after_cut left(stable_);
    for (const auto& [where, bytes] : unflushed_) {
      left.survive(where, bytes, survives);
    }
    return left;
  }

  void lose_power(const std::function<bool()>& survives) {
    for (const auto& [where, bytes] : unflushed_) {
      apply(bytes, stable_.block(where), survives);
    }
    unflushed_.clear();
    last_superblock_.assign(stable_.block(0), stable_.block(0) + pd::block_size);
    superblocks_ = {last_superblock_};
  }

  // Whether block 0 is the last superblock written, or the one before, whole.
  bool is_a_superblock(const std::byte* block) const {
    return superblocks_.contains(block_bytes(block, block + pd::block_size));
  }

 private:
  pd::memory_device stable_;
  std::function<void()> before_change_;
  std::map<block_nr, block_bytes> unflushed_;
  block_bytes last_superblock_ = block_bytes(pd::block_size);
  std::set<block_bytes> superblocks_ = {block_bytes(pd::block_size)};
};

// Takes everything and keeps nothing; the metadata is what counts here.
class bottomless_origin final : public era::origin {
 public:
  const std::string& name() const override { return name_; }
  std::uint64_t nr_sectors() const override { return UINT64_MAX / sector; }
  void read(std::uint64_t, std::span<std::byte>) override {}
  void write(std::uint64_t at, std::span<const std::byte> from) override {
    on_write(at, from.size() / sector);
  }
  void discard(std::uint64_t, std::uint64_t) override {}
  void flush() override {}

  std::function<void(std::uint64_t, std::uint64_t)> on_write = [](auto, auto) {};

 private:
  std::string name_ = "origin";
};

class one_device final : public era::device_finder {
 public:
  explicit one_device(pd::block_device& metadata) : metadata_(metadata) {}
  pd::block_device& metadata(const std::string&) override { return metadata_; }
  era::origin& origin(const std::string&) override { return origin_; }

 private:
  pd::block_device& metadata_;
  bottomless_origin origin_;
};

class watched_devices final : public era::simulated_devices {
 public:
  explicit watched_devices(std::function<void()> before_change) : metadata_(before_change) {}

  void make(const std::string&, std::uint64_t) override {}
  pd::block_device& metadata(const std::string&) override { return metadata_; }
  era::origin& origin(const std::string&) override { return origin_; }
  void fail_power_after(std::uint64_t) override {}
  bool has_power_failed() const override { return false; }
  void cut_power(std::uint64_t seed) override {
    std::mt19937_64 random(seed);
    metadata_.lose_power([&] { return random() % 2 == 0; });
  }

  watched_device& watched() { return metadata_; }
  bottomless_origin& data() { return origin_; }

 private:
  watched_device metadata_;
  bottomless_origin origin_;
};

// A resized device's writesets need not be as long as the device.
class nothing_but_resizes final : public era::problem_sink {
 public:
  void found(const era::problem& p) override {
    if (p.code != era::problem_code::writeset_nr_bits) {
      ADD_FAILURE() << era::row_of(p.code).name << ", block " << p.block << ": " << p.what;
    }
  }
};

class power_cuts {
 public:
  explicit power_cuts(std::uint64_t seed)
      : seed_(seed),
        random_(seed),
        devices_([this] { cut_here(); }),
        out_("/dev/null"),
        simulator_(devices_, out_, true) {
    devices_.data().on_write = [this](std::uint64_t at, std::uint64_t nr_sectors) {
      require_marked(at, nr_sectors);
    };
  }

  void run(std::uint64_t nr_operations) {
    era::schedule schedule({seed_, nr_operations, "metadata", "origin", 1200});
    while (auto next = schedule.next()) {
      command_ = *next;
      if (command_.text.starts_with("0 ")) {
        table_ = command_.text;
      }
      simulator_.run(command_);
      if (::testing::Test::HasFailure()) {
        return;
      }
    }
    simulator_.finish();
  }

  std::uint64_t tried() const { return tried_; }
  std::uint64_t origin_writes() const { return origin_writes_; }

 private:
  // Data is on its way to the origin: even the worst power cut must find its blocks marked.
  void require_marked(std::uint64_t at, std::uint64_t nr_sectors) {
    ++origin_writes_;
    const std::uint64_t size = std::stoull(era::parse_table_line(table_).block_size);
    device_after_cut left = devices_.watched().cut([] { return false; });
    const auto found = era::read_sound_state(left);
    ASSERT_TRUE(found);
    for (std::uint64_t block = at / size; block <= (at + nr_sectors - 1) / size; ++block) {
      EXPECT_EQ(found->eras.at(block), found->current_era)
          << "schedule " << seed_ << ", in '" << era::text_of(command_) << "': block " << block;
    }
  }

  // Nothing that was not flushed survives; all of it does; or any part.
  void cut_here() {
    if (::testing::Test::HasFailure()) {
      return;
    }
    SCOPED_TRACE("schedule " + std::to_string(seed_) + ", in '" + era::text_of(command_) +
                 "', device write " + std::to_string(changes_++));
    check([] { return false; });
    check([] { return true; });
    check([this] { return random_() % 2 == 0; });
  }

  void check(const std::function<bool()>& survives) {
    ++tried_;
    try {
      device_after_cut left = devices_.watched().cut(survives);
      ASSERT_TRUE(devices_.watched().is_a_superblock(left.block(0)));
      era::simulator::expectation expected = simulator_.if_cut_during(command_);
      const std::optional<era::era_state> found = check_state(left, expected);
      expected.after.adopt(found.value_or(era::era_state()));
      go_on(left, expected.after);
    } catch (const base::error& e) {
      ADD_FAILURE() << e.what();
    }
  }

  std::optional<era::era_state> check_state(device_after_cut& left,
                                            const era::simulator::expectation& expected) {
    auto found = era::read_sound_state(left);
    if (found) {
      nothing_but_resizes sink;
      base::no_progress silent;
      era::check(left, {}, sink, silent);
      for (const std::string& difference : expected.before.differences(*found, &expected.after)) {
        ADD_FAILURE() << difference;
      }
    }
    return found;
  }

  // The target comes up, takes a write and a new era, digests all, and keeps every era it had.
  void go_on(device_after_cut& left, era::era_model model) {
    one_device devices(left);
    era::target target(era::parse_table_line(table_), devices);
    target.resume();
    model.resize(target.nr_blocks());
    model.begin_era();
    target.map({era::request::kind::write_zeroes, 0, 1});
    target.work();
    model.wrote({0, 1});
    target.message("checkpoint");
    model.begin_era();
    while (target.step()) {
    }
    target.suspend();
    const auto found = era::read_sound_state(left);
    ASSERT_TRUE(found);
    for (const std::string& difference : model.differences(*found)) {
      ADD_FAILURE() << "after it went on: " << difference;
    }
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  watched_devices devices_;
  base::output out_;
  era::simulator simulator_;
  script_command command_{verb::flush};
  std::string table_;
  std::uint64_t changes_ = 0;
  std::uint64_t tried_ = 0;
  std::uint64_t origin_writes_ = 0;
};

std::uint64_t nr_schedules() {
  if (const char* const wanted = std::getenv("ERA_POWER_CUT_SEEDS")) {
    return std::strtoull(wanted, nullptr, 10);
  }
  return std::getenv("ERA_SANITIZED") == nullptr ? 12 : 2;  // sanitizers are slow
}

TEST(PowerCut, AnywhereLosesNothingAndLeaksNothing) {
  // The checks take and give back large buffers many thousand times.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  std::uint64_t tried = 0;
  std::uint64_t origin_writes = 0;
  for (std::uint64_t seed = 1; seed <= nr_schedules() && !HasFailure(); ++seed) {
    power_cuts cuts(seed);
    cuts.run(40);
    tried += cuts.tried();
    origin_writes += cuts.origin_writes();
  }
  std::printf("%llu power cuts in %llu schedules\n", static_cast<unsigned long long>(tried),
              static_cast<unsigned long long>(nr_schedules()));
  EXPECT_GT(tried, 100 * nr_schedules());
  EXPECT_GT(origin_writes, nr_schedules());
}

}  // namespace
