// Cache metadata made from plain models, for tests, fuzzing and benchmarks. Not thread safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "cache/superblock.h"
#include "persistent-data/array_builder.h"

namespace cache::test {

inline std::uint64_t mapped_to(std::uint64_t origin_block, std::uint64_t flags = 1) {
  return origin_block << 16 | flags;
}

struct cache_model {
  std::uint32_t version = 2;
  std::uint32_t flags = clean_shutdown_flag;
  std::uint32_t data_block_size = 64;
  std::vector<std::uint64_t> values;  // of the mapping array; 0 is unused
  std::vector<bool> dirty;            // of version 2, as long as `values` or shorter
};

// Of blocks 1 on: the mapping array, then the dirty bitset.
inline void write_cache_metadata(pd::block_device& device, const cache_model& model) {
  pd::bulk_writer writer(device, 1, nullptr);
  const auto put = [](pd::array_builder& array, std::uint64_t i, std::uint64_t value) {
    const std::uint64_t capacity = pd::array_capacity(sizeof value);
    base::put_le64(array.values_of(i / capacity) + sizeof value * (i % capacity), value);
  };
  superblock s;
  s.version = model.version;
  s.flags = model.flags;
  s.data_block_size = model.data_block_size;
  s.nr_cache_blocks = static_cast<std::uint32_t>(model.values.size());
  pd::array_builder mappings(writer, {sizeof(std::uint64_t), model.values.size()});
  for (std::size_t i = 0; i < model.values.size(); ++i) {
    put(mappings, i, model.values[i]);
  }
  s.mapping_root = mappings.finish();
  if (model.version == 2) {
    const pd::array_shape shape = pd::bitset_shape(model.values.size());
    pd::array_builder bits(writer, shape);
    for (std::size_t word = 0; word < shape.nr_elements; ++word) {
      std::uint64_t value = 0;
      for (std::size_t i = 64 * word; i < std::min(model.dirty.size(), 64 * word + 64); ++i) {
        value |= std::uint64_t{model.dirty[i]} << i % 64;
      }
      put(bits, word, value);
    }
    s.dirty_root = bits.finish();
  }
  writer.flush();
  pd::block_buffer block(1);
  encode_superblock(s, block.block(0));
  pd::seal_block(superblock_block, 0, block.block(0));
  const pd::write_request request{0, block.block(0)};
  device.write({&request, 1});
}

}  // namespace cache::test
