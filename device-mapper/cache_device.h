// What the target cache says of itself in its table and status. Thread safe: no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device-mapper/devices.h"

namespace dm {

struct cache_table {
  std::string metadata;  // MAJOR:MINOR
  std::string fast;
  std::string origin;
  std::uint64_t block_size = 0;  // sectors
};

struct cache_status {
  bool has_failed = false;  // then nothing else is known
  std::uint64_t nr_blocks = 0;
  std::uint64_t nr_mapped = 0;
  std::uint64_t nr_dirty = 0;
  std::vector<std::string> features;  // "passthrough", "writeback", "metadata2"
  bool is_read_only = false;          // its metadata
  bool needs_check = false;

  bool has_feature(const std::string& name) const;
};

// Throw base::data_error, naming the device, for what is not as the kernel writes it.
cache_table parse_cache_table(const std::string& name, const std::string& words);
cache_status parse_cache_status(const std::string& name, const std::string& words);

}  // namespace dm
