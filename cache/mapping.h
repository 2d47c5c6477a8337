// What dm-cache metadata says of a cache: which block of the origin each cache block holds
// (doc/format.md 12). A reader says it to a sink; where it reads from makes no difference. Thread
// safety: calls come from one thread at a time.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace cache {

inline constexpr std::uint64_t sector_bytes = 512;

// A cache block, and so one of the origin, is a positive multiple of so many sectors.
inline constexpr std::uint32_t block_size_unit = 64;

// As many blocks as metadata of the largest size can map; a cache has no more.
inline constexpr std::uint32_t max_cache_blocks = 255U * 16320U * 509U;

inline constexpr std::uint64_t max_origin_block = (std::uint64_t{1} << 48) - 1;

struct cache_facts {
  std::uint32_t block_size = 0;  // sectors, a positive multiple of block_size_unit
  std::uint32_t nr_blocks = 0;   // cache blocks
  bool dirty_is_known = false;   // if not, every mapping is said to be dirty
};

struct mapping {
  std::uint32_t cache_block;
  std::uint64_t origin_block;  // at most max_origin_block
  bool is_dirty;               // the origin may be older than the cache
};

// What a source says contradicts itself or what the sink knows. The message names no place; the
// reader, which knows it, adds it.
class mapping_conflict : public base::data_error {
 public:
  using data_error::data_error;
};

class mapping_sink {
 public:
  virtual ~mapping_sink() = default;

  virtual void begin(const cache_facts& facts) = 0;

  // In any order, each below nr_blocks: those of one place in the source. Throws mapping_conflict.
  virtual void add(std::span<const mapping> found) = 0;
};

}  // namespace cache
