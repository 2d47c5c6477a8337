#include "cache/mapping_reader.h"

#include <functional>

#include "base/error.h"
#include "cache/mapping_test_support.h"

namespace {

using cache::test::cache_device;
using cache::test::cache_model;
using cache::test::change_superblock;
using cache::test::mapped_to;
using cache::test::mapping_recorder;

cache_model small_model() {
  cache_model model;
  model.values = {mapped_to(7), 0, mapped_to(0), mapped_to(cache::max_origin_block), 0,
                  mapped_to(3)};
  model.dirty = {false, true, true, false, false, false};
  return model;
}

std::string mappings_of(pd::block_device& device) {
  mapping_recorder got;
  read_mappings(device, got);
  return got.text();
}

// What is said of a device that is refused; empty if it is not.
std::string refusal(pd::block_device& device) {
  mapping_recorder got;
  try {
    read_mappings(device, got);
  } catch (const base::data_error& wrong) {
    return wrong.what();
  }
  return "";
}

std::string refusal_of(const cache_model& model) {
  pd::memory_device device = cache_device(model);
  return refusal(device);
}

std::string refusal_with(const std::function<void(cache::superblock&)>& change) {
  pd::memory_device device = cache_device(small_model());
  change_superblock(device, change);
  return refusal(device);
}

TEST(mapping_reader, says_what_the_array_holds) {
  pd::memory_device device = cache_device(small_model());
  mapping_recorder got;
  read_mappings(device, got);
  EXPECT_EQ(got.facts.block_size, 64U);
  EXPECT_EQ(got.facts.nr_blocks, 6U);
  EXPECT_TRUE(got.facts.dirty_is_known);
  EXPECT_EQ(got.text(), "0:7 2:0* 3:281474976710655 5:3 ");
}

TEST(mapping_reader, version_1_keeps_dirty_flags_in_the_mappings) {
  cache_model model = small_model();
  model.version = 1;
  model.values[5] = mapped_to(3, 3);
  pd::memory_device device = cache_device(model);
  EXPECT_EQ(mappings_of(device), "0:7 2:0 3:281474976710655 5:3* ");
}

TEST(mapping_reader, without_a_clean_shutdown_every_mapping_is_dirty) {
  for (const std::uint32_t version : {1U, 2U}) {
    cache_model model = small_model();
    model.version = version;
    model.flags = 0;
    pd::memory_device device = cache_device(model);
    mapping_recorder got;
    read_mappings(device, got);
    EXPECT_FALSE(got.facts.dirty_is_known);
    EXPECT_EQ(got.text(), "0:7* 2:0* 3:281474976710655* 5:3* ");
  }
}

TEST(mapping_reader, a_cache_without_blocks_has_no_mappings) {
  pd::memory_device device = cache_device({});
  EXPECT_EQ(mappings_of(device), "");
}

TEST(mapping_reader, reads_arrays_of_all_lengths) {
  for (const std::size_t length : {1U, 508U, 509U, 510U, 509U * 3, 509U * 260, 40000U}) {
    cache_model model;
    std::string expected;
    for (std::size_t i = 0; i < length; ++i) {
      const bool used = i % 3 != 1;
      model.values.push_back(used ? mapped_to(2 * length - i) : 0);
      model.dirty.push_back(i % 7 == 0);
      if (used) {
        expected +=
            std::to_string(i) + ":" + std::to_string(2 * length - i) + (i % 7 == 0 ? "* " : " ");
      }
    }
    pd::memory_device device = cache_device(model);
    EXPECT_EQ(mappings_of(device), expected) << length;
  }
}

TEST(mapping_reader, refuses_flags_that_make_no_sense) {
  cache_model model = small_model();
  model.values[2] = mapped_to(0, 5);
  EXPECT_EQ(refusal_of(model),
            "meta: block 1 (mapping array): cache block 2 has a mapping with unknown flags 5");
  for (const std::uint64_t value : {mapped_to(4, 0), mapped_to(4, 2), mapped_to(0, 2)}) {
    model.values[2] = value;
    EXPECT_EQ(refusal_of(model),
              "meta: block 1 (mapping array): cache block 2 has a mapping that is neither valid "
              "nor 0");
  }
}

TEST(mapping_reader, says_where_what_a_sink_refuses_lies) {
  pd::memory_device device = cache_device(small_model());
  mapping_recorder got;
  got.conflict_at = 3;
  try {
    read_mappings(device, got);
    FAIL();
  } catch (const base::data_error& wrong) {
    EXPECT_STREQ(wrong.what(), "meta: block 1 (mapping array): is not wanted");
  }
}

TEST(mapping_reader, refuses_every_superblock_that_is_not_sound) {
  const auto holds = [](const std::string& text, const std::string& part) {
    return text.starts_with("meta: block 0 (superblock): ") && text.find(part) != std::string::npos;
  };
  using sb = cache::superblock;
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.location = 3; }), "says that it is block 3");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.magic = 7; }), "magic is 7, not 1623043");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.version = 0; }), "version is 0");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.version = 3; }), "version is 3");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.incompat_flags = 1; }), "incompatible");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.flags |= 2; }), "needs_check");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.flags |= 4; }), "unknown flags 4");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.metadata_block_size = 16; }), "16 sectors, not 8");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.data_block_size = 0; }), "size is 0 sectors");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.data_block_size = 96; }), "size is 96 sectors");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.nr_cache_blocks = UINT32_MAX; }),
               "4294967295 cache blocks");
  EXPECT_PRED2(holds, refusal_with([](sb& s) { s.nr_cache_blocks = cache::max_cache_blocks; }),
               "the dirty bitset would need 65025 blocks");
  EXPECT_EQ(refusal_with([](sb&) {}), "");
}

TEST(mapping_reader, refuses_roots_that_lead_nowhere) {
  using sb = cache::superblock;
  for (const pd::block_nr root : {pd::block_nr{0}, pd::block_nr{1000000}, UINT64_MAX}) {
    EXPECT_NE(refusal_with([&](sb& s) { s.mapping_root = root; }).find("(mapping array): "),
              std::string::npos);
    EXPECT_NE(refusal_with([&](sb& s) { s.dirty_root = root; }).find("(dirty bitset): "),
              std::string::npos);
  }
  // Both arrays in one place.
  EXPECT_NE(refusal_with([&](sb& s) { s.dirty_root = s.mapping_root; }), "");
}

TEST(mapping_reader, refuses_an_array_that_is_too_short) {
  pd::memory_device device = cache_device(small_model());
  change_superblock(device, [](cache::superblock& s) { s.nr_cache_blocks = 600; });
  EXPECT_NE(refusal(device), "");
  change_superblock(device, [](cache::superblock& s) { s.nr_cache_blocks = 5; });
  EXPECT_NE(refusal(device), "") << "a block that holds more than it should";
}

TEST(mapping_reader, refuses_pointers_that_go_in_circles) {
  cache_model model;
  model.values.resize(509 * 300);  // the tree has two levels
  pd::memory_device device = cache_device(model);
  const pd::block_nr root = cache::decode_superblock(device.block(0)).mapping_root;
  pd::test::set_child(device, root, 1, root);
  EXPECT_NE(refusal(device).find("(mapping array): "), std::string::npos);
}

TEST(mapping_reader, refuses_two_keys_with_one_array_block) {
  cache_model model;
  model.values.resize(509 * 3);
  pd::memory_device device = cache_device(model);
  const pd::block_nr root = cache::decode_superblock(device.block(0)).mapping_root;
  pd::test::set_child(device, root, 2, 1);
  EXPECT_NE(refusal(device).find("block 1 (mapping array): "), std::string::npos);
}

// Whatever byte is changed: refused, or the same answer.
TEST(mapping_reader, damage_never_makes_it_short) {
  const cache_model model = small_model();
  pd::memory_device sound = cache_device(model);
  const std::string expected = mappings_of(sound);
  unsigned refused = 0;
  for (pd::block_nr block = 0; block < 5; ++block) {
    for (std::size_t at = 0; at < pd::block_size; at += at < 300 ? 1 : 37) {
      pd::memory_device device = cache_device(model);
      device.block(block)[at] ^= std::byte{0x41};
      const std::string wrong = refusal(device);
      refused += wrong.empty() ? 0 : 1;
      if (wrong.empty()) {
        ASSERT_EQ(mappings_of(device), expected) << block << " " << at;
      }
    }
  }
  EXPECT_GT(refused, 1000U);
}

TEST(mapping_reader, refuses_a_block_that_cannot_be_read_whole) {
  pd::memory_device none(0, "meta");
  EXPECT_EQ(refusal(none), "meta: too small for a superblock");
  pd::memory_device zeros(8, "meta");
  EXPECT_EQ(refusal(zeros), "meta: block 0 (superblock): bad checksum in superblock");
}

}  // namespace
