// Cache metadata on devices in memory, made from plain models, for tests, and a sink that
// remembers. Not thread safe.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cache/cache_metadata_test_support.h"
#include "cache/mapping.h"
#include "persistent-data/memory_device.h"
#include "persistent-data/metadata_test_support.h"

namespace cache::test {

inline pd::memory_device cache_device(const cache_model& model) {
  pd::memory_device device(model.values.size() / 400 + 20, "meta");
  write_cache_metadata(device, model);
  return device;
}

// Changes the superblock by hand and seals it again.
template <typename Change>
void change_superblock(pd::memory_device& device, Change change) {
  superblock s = decode_superblock(device.block(0));
  change(s);
  encode_superblock(s, device.block(0));
  pd::seal_block(superblock_block, s.location, device.block(0));
}

class mapping_recorder final : public mapping_sink {
 public:
  void begin(const cache_facts& given) override { facts = given; }
  void add(std::span<const mapping> found) override {
    for (const mapping& one : found) {
      EXPECT_LT(one.cache_block, facts.nr_blocks);
      if (one.cache_block == conflict_at) {
        throw mapping_conflict("is not wanted");
      }
      all.push_back(one);
    }
  }

  // "cache block, origin block, dirty" in ascending order.
  std::string text() const {
    std::vector<mapping> sorted = all;
    std::sort(sorted.begin(), sorted.end(),
              [](const mapping& a, const mapping& b) { return a.cache_block < b.cache_block; });
    std::string text;
    for (const mapping& one : sorted) {
      text += std::to_string(one.cache_block) + ":" + std::to_string(one.origin_block) +
              (one.is_dirty ? "* " : " ");
    }
    return text;
  }

  cache_facts facts;
  std::vector<mapping> all;
  std::uint64_t conflict_at = UINT64_MAX;
};

}  // namespace cache::test
