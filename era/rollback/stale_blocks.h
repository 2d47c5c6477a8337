// The cache blocks that hold what was written to an origin since, and so must be forgotten when the
// origin is rolled back: written blocks × mappings of the cache.
//
// Block b of the list covers the sectors from b × its block size on, origin block o of the cache
// those from o × the cache's block size on. A cache block is stale if the two have a sector in
// common, so the answer covers outwards, whatever the two sizes are. Kept are two bits a block of
// the origin and two a cache block. Not thread safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cache/mapping.h"
#include "era/rollback/changed_blocks.h"

namespace era {

struct stale_blocks {
  cache::cache_facts cache;
  std::uint64_t nr_mappings = 0;
  std::uint64_t nr_dirty = 0;  // of the mappings
  std::uint64_t nr_stale = 0;
  std::uint64_t nr_stale_dirty = 0;
  std::uint32_t first_stale_dirty = 0;  // if there is one
  written_blocks blocks{{}, 0};         // the stale ones, by their numbers in the cache

  // What somebody who knows better says.
  void none_is_dirty() {
    cache.dirty_is_known = true;
    nr_dirty = 0;
    nr_stale_dirty = 0;
  }

  std::uint64_t block_bytes() const {
    return std::uint64_t{cache.block_size} * cache::sector_bytes;
  }
  std::uint64_t stale_bytes() const { return nr_stale * block_bytes(); }
};

class stale_finder final : public cache::mapping_sink {
 public:
  // `changed` must stay.
  explicit stale_finder(const changed_blocks& changed) : changed_(changed) {}

  // Throws cache::mapping_conflict where the origin would have more than most_rollback_blocks.
  void begin(const cache::cache_facts& facts) override;

  // Throws cache::mapping_conflict for a mapping beyond the end of the origin, and for a cache
  // block or an origin block that is named twice.
  void add(std::span<const cache::mapping> found) override;

  // Nothing may follow.
  stale_blocks finish();

 private:
  // 64 blocks of the origin, as large as those of the cache.
  struct origin_word {
    std::uint64_t changed = 0;
    std::uint64_t cached = 0;  // met so far
  };

  void note_changed(std::uint64_t first, std::uint64_t end);
  void prefetch(const cache::mapping& soon) const;
  void add_one(const cache::mapping& found);
  origin_word& word_of(const cache::mapping& found);
  void note_stale(const cache::mapping& found);

  const changed_blocks& changed_;
  stale_blocks result_;
  std::uint64_t end_of_origin_ = 0;  // in blocks of the cache
  std::vector<origin_word> origin_;  // as many as were needed so far
  std::vector<bool> in_use_;         // cache blocks met so far
  std::vector<std::uint64_t> stale_;
};

}  // namespace era
