// The metadata of caches in functional-tests/images/cache with their recorded truth, and the cache
// blocks that a list makes stale, worked out sector by sector.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness.h"

namespace caches {

struct mapping {
  std::uint64_t cache_block;
  std::uint64_t origin_block;
  bool dirty;
};

struct image {
  std::string name;
  std::uint64_t version;
  bool clean_shutdown;
  std::uint64_t block_size;
  std::uint64_t nr_cache_blocks;
  std::vector<mapping> mappings;

  // Unpacks the metadata to `path`.
  void unpack(const std::string& path) const;

  std::uint64_t nr_dirty() const;
};

const std::vector<image>& images();
const image& image_named(std::string_view name);

struct range {
  std::uint64_t begin;
  std::uint64_t end;
};

// Written blocks, as era_invalidate prints them.
struct list {
  std::uint64_t block_size;  // sectors
  std::uint64_t nr_blocks;
  std::vector<range> ranges;

  std::string xml() const;
  std::string json() const;          // a range an object
  std::string compact_json() const;  // a range a pair
};

// Of a device that the origin of the images fills.
list random_list(std::uint64_t block_size, unsigned seed);
list whole_list(std::uint64_t block_size);

// As era_cache_invalidate prints them, in one line.
std::string stale(const image& image, const list& list);

// What cache_dump prints of the metadata; empty, and says so in the test's output, if it can't be
// run here.
std::string cache_dump(const std::string& metadata);

}  // namespace caches
