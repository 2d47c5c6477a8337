#include "bin/live_cache.h"

#include <sys/sysmacros.h>

#include "base/file_test_support.h"
#include "cache/mapping_test_support.h"
#include "device-mapper/fake_devices_test_support.h"

namespace {

using base::test::message_of;
using cache::test::mapped_to;

// A cache of 8 blocks of 64 sectors over an origin of 10, with mappings that the test changes.
class live_cache_test : public testing::Test {
 protected:
  live_cache_test() {
    dm::test::fake_device& device = devices.all["c"];
    device.table = {{0, 640, "cache", "253:1 253:2 253:3 64 1 passthrough smq 0"}};
    set_status("8 8/1024 64 3/8 1 2 3 4 5 6 0 2 metadata2 passthrough 0 smq 0 rw -");
    device.on_message = [this](const std::string& text) { drop(text); };
    model.flags = 0;  // it is in use
    model.values = {mapped_to(0), mapped_to(1), 0, mapped_to(2), 0, 0, 0, 0};
  }

  void set_status(const std::string& words) {
    devices.all["c"].status = {{0, 640, "cache", words}};
  }

  cli::live_cache cache() {
    return {devices, "c", [this](const std::string& number) { return open(number); }};
  }

  std::unique_ptr<pd::block_device> open(const std::string& number) {
    EXPECT_EQ(number, "253:1");
    ++opened;
    return std::make_unique<watched_device>(*this);
  }

  // Blocks 1 to 9 of the origin, which has as many blocks as the cache's origin.
  era::changed_blocks changed() const {
    return {"list", 64, era::written_blocks({0x3FE}, 10), 640, std::nullopt};
  }

  std::string failure() {
    return message_of<base::data_error>([&] { cache().find_stale(changed()); });
  }

  dm::test::fake_devices devices;
  cache::test::cache_model model;
  unsigned opened = 0;
  unsigned changes = 0;  // how often the kernel commits while it is read
  bool drops = true;     // what it is told to
  std::size_t messages = 0;

 private:
  // The metadata as it is when it is opened; the kernel may commit between two reads.
  class watched_device final : public pd::block_device {
   public:
    explicit watched_device(live_cache_test& test)
        : test_(test), blocks_(cache::test::cache_device(test.model)) {}
    pd::block_nr nr_blocks() const override { return blocks_.nr_blocks(); }
    const std::string& name() const override { return blocks_.name(); }
    void read(std::span<pd::read_request> batch) override {
      blocks_.read(batch);
      if (batch[0].where == 0 && test_.changes > 0) {
        --test_.changes;
        std::byte* const superblock = blocks_.block(0);
        base::put_le32(superblock + 256, base::get_le32(superblock + 256) + 1);  // read hits
        pd::seal_block(cache::superblock_block, 0, superblock);
      }
    }
    void write(std::span<const pd::write_request>) override { FAIL(); }
    void flush() override {}

   private:
    live_cache_test& test_;
    pd::memory_device blocks_;
  };

  void drop(const std::string& text) {
    ++messages;
    std::istringstream words(text);
    std::string word;
    words >> word;
    EXPECT_EQ(word, "invalidate_cblocks");
    while (drops && words >> word) {
      const std::size_t first = std::stoul(word);
      const std::size_t dash = word.find('-');
      const std::size_t end =
          dash == std::string::npos ? first + 1 : std::stoul(word.substr(dash + 1));
      for (std::size_t i = first; i < end; ++i) {
        model.values[i] = 0;
      }
    }
  }
};

TEST_F(live_cache_test, finds_what_is_stale_and_nothing_is_dirty) {
  const era::stale_blocks found = cache().find_stale(changed());
  EXPECT_EQ(found.nr_stale, 2U);
  EXPECT_EQ(found.nr_mappings, 3U);
  EXPECT_EQ(found.nr_stale_dirty, 0U);
  EXPECT_TRUE(found.cache.dirty_is_known);
  EXPECT_TRUE(devices.sent.empty());
}

TEST_F(live_cache_test, has_the_kernel_drop_it) {
  cli::live_cache live = cache();
  live.invalidate(live.find_stale(changed()), changed());
  EXPECT_EQ(devices.sent, std::vector<std::string>({"c invalidate_cblocks 1 3"}));
  EXPECT_EQ(model.values[0], mapped_to(0)) << "this one was not written";
  EXPECT_EQ(live.find_stale(changed()).nr_stale, 0U);
}

TEST_F(live_cache_test, sends_nothing_where_nothing_is_stale) {
  model.values = {mapped_to(0), 0, 0, 0, 0, 0, 0, 0};
  cli::live_cache live = cache();
  live.invalidate(live.find_stale(changed()), changed());
  EXPECT_TRUE(devices.sent.empty());
}

TEST_F(live_cache_test, says_if_the_kernel_did_not_drop_it) {
  drops = false;
  cli::live_cache live = cache();
  const era::stale_blocks stale = live.find_stale(changed());
  EXPECT_EQ(message_of<base::data_error>([&] { live.invalidate(stale, changed()); }),
            "c: 2 cache blocks are still there that were to be invalidated");
}

TEST_F(live_cache_test, what_the_kernel_refuses_comes_through) {
  devices.all["c"].on_message = [](const std::string&) { throw base::io_error("c: message: no"); };
  cli::live_cache live = cache();
  const era::stale_blocks stale = live.find_stale(changed());
  EXPECT_EQ(message_of<base::io_error>([&] { live.invalidate(stale, changed()); }),
            "c: message: no");
}

TEST_F(live_cache_test, reads_anew_while_the_kernel_commits) {
  changes = 3;
  EXPECT_EQ(cache().find_stale(changed()).nr_stale, 2U);
  EXPECT_GT(opened, 1U);
  changes = 1000;
  EXPECT_EQ(failure(), "c: its metadata keeps changing while it is read; start again");
}

TEST_F(live_cache_test, damage_that_stays_is_refused) {
  model.values[5] = mapped_to(1);
  EXPECT_NE(failure().find("(mapping array): cache block 5 holds origin block 1, which another"),
            std::string::npos);
  EXPECT_EQ(opened, 1U);
}

TEST_F(live_cache_test, wants_a_cache_that_is_not_suspended) {
  devices.all["c"].suspended = true;
  EXPECT_NE(failure().find("suspended"), std::string::npos);
  devices.all["c"].suspended = false;
  devices.all["c"].table[0].type = "era";
  EXPECT_NE(failure().find("not a device of the target cache"), std::string::npos);
  devices.all.clear();
  EXPECT_NE(message_of<base::io_error>([&] { cache(); }), "");
}

TEST_F(live_cache_test, wants_passthrough_mode_and_sound_metadata) {
  const auto status = [this](const std::string& dirty, const std::string& mode,
                             const std::string& end) {
    set_status("8 8/1024 64 3/8 1 2 3 4 5 6 " + dirty + " 1 " + mode + " 0 smq 0 " + end);
    return failure();
  };
  EXPECT_NE(status("0", "writeback", "rw -").find("not in passthrough mode"), std::string::npos);
  EXPECT_NE(status("0", "writethrough", "rw -").find("not in passthrough mode"), std::string::npos);
  EXPECT_NE(status("2", "passthrough", "rw -").find("2 dirty blocks"), std::string::npos);
  EXPECT_NE(status("0", "passthrough", "ro -").find("read-only"), std::string::npos);
  EXPECT_NE(status("0", "passthrough", "rw needs_check").find("to be checked"), std::string::npos);
  set_status("Fail");
  EXPECT_NE(failure().find("has failed"), std::string::npos);
}

TEST_F(live_cache_test, looks_at_the_mode_again_before_and_after_it_sends) {
  cli::live_cache live = cache();
  const era::stale_blocks stale = live.find_stale(changed());
  const std::string writeback = "8 8/1024 64 3/8 1 2 3 4 5 6 0 1 writeback 0 smq 0 rw -";
  devices.all["c"].on_message = [&](const std::string&) { set_status(writeback); };
  EXPECT_NE(message_of<base::data_error>([&] { live.invalidate(stale, changed()); }), "");
  EXPECT_EQ(devices.sent.size(), 1U);
  EXPECT_NE(message_of<base::data_error>([&] { live.invalidate(stale, changed()); }), "");
  EXPECT_EQ(devices.sent.size(), 1U) << "nothing is sent in another mode";
}

TEST_F(live_cache_test, refuses_the_list_of_another_origin) {
  era::changed_blocks other = changed();
  other.origin_sectors = 639;
  EXPECT_NE(message_of<base::data_error>([&] {
              cache().find_stale(other);
            }).find("Is this the cache of another device?"),
            std::string::npos);
}

TEST_F(live_cache_test, refuses_an_era_device_that_is_not_its_origin) {
  cache().require_above(makedev(253, 3), "e");
  EXPECT_NE(message_of<base::data_error>([&] {
              cache().require_above(makedev(253, 4), "e");
            }).find("c: e is not its origin, which is 253:3"),
            std::string::npos);
}

TEST_F(live_cache_test, refuses_metadata_that_is_not_that_of_the_table) {
  model.data_block_size = 128;
  EXPECT_NE(failure().find("is not the metadata of c"), std::string::npos);
  model.data_block_size = 64;
  model.values.resize(9);
  EXPECT_NE(failure().find("is not the metadata of c"), std::string::npos);
}

}  // namespace
