// The bytes of a metadata device, decoded and changed by hand from the description of the format:
// independent of the code under test, and able to write what no tool would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness.h"

namespace harness {

constexpr std::size_t metadata_block_size = 4096;

// What distinguishes types of blocks: the constants in their checksums.
enum class block_kind : std::uint32_t {
  superblock = 0x08BBFF8D,
  node = 0x0001D913,
  array = 0x2383E64F,
  index = 0x000272DE,
  bitmap = 0x0003AC8B,
};

// Offsets of fields within their blocks.
namespace superblock {
constexpr std::size_t blocknr = 8;
constexpr std::size_t magic = 32;
constexpr std::size_t version = 40;
constexpr std::size_t map_nr_blocks = 44;
constexpr std::size_t map_nr_allocated = 52;
constexpr std::size_t map_index = 60;
constexpr std::size_t map_counts = 68;
constexpr std::size_t metadata_block_size = 176;
constexpr std::size_t nr_blocks = 180;
constexpr std::size_t current_era = 184;
constexpr std::size_t current_nr_bits = 188;
constexpr std::size_t current_root = 192;
constexpr std::size_t writeset_tree = 200;
constexpr std::size_t era_array = 208;
constexpr std::size_t snapshot = 216;
}  // namespace superblock

namespace node {
constexpr std::size_t flags = 4;
constexpr std::size_t blocknr = 8;
constexpr std::size_t nr_entries = 16;
constexpr std::size_t max_entries = 20;
constexpr std::size_t value_size = 24;
constexpr std::size_t keys = 32;
}  // namespace node

namespace array {
constexpr std::size_t max_entries = 4;
constexpr std::size_t nr_entries = 8;
constexpr std::size_t value_size = 12;
constexpr std::size_t blocknr = 16;
constexpr std::size_t values = 24;
}  // namespace array

struct writeset_root {
  std::uint32_t era;
  std::uint32_t nr_bits;
  std::uint64_t root;
};

class metadata_bytes {
 public:
  explicit metadata_bytes(const image& image);

  const std::string& bytes() const { return bytes_; }

  std::uint32_t get32(std::uint64_t block, std::size_t offset) const;
  std::uint64_t get64(std::uint64_t block, std::size_t offset) const;
  // These keep the checksum right, for the kind of block that it is.
  void set32(std::uint64_t block, std::size_t offset, std::uint32_t value);
  void set64(std::uint64_t block, std::size_t offset, std::uint64_t value);
  // Changes one byte and leaves the checksum as it is.
  void damage(std::uint64_t block, std::size_t offset, unsigned char difference);

  // What the checksum says; none if it is wrong for every kind.
  std::optional<block_kind> kind(std::uint64_t block) const;
  // Gives the block a checksum as that kind of block.
  void seal(std::uint64_t block, block_kind kind);

  // Copies a node over another block, with the number of its new place.
  void copy_node(std::uint64_t from, std::uint64_t to);

  // The space map. A count of 3 stands for all from 3 on.
  unsigned count(std::uint64_t block) const;
  void set_count(std::uint64_t block, unsigned count);
  std::vector<std::uint64_t> used_blocks() const;
  std::uint64_t first_free_block() const;

  // Where the value of a node's entry is.
  std::size_t value_offset(std::uint64_t node, std::uint32_t entry) const;
  // The array blocks of an array or bitset, by index.
  std::map<std::uint64_t, std::uint64_t> array_blocks(std::uint64_t root) const;
  // The writesets of a writeset tree.
  std::vector<writeset_root> writesets(std::uint64_t root) const;

 private:
  struct bitmap_entry {
    std::uint64_t block;
    std::size_t byte;
    unsigned shift;
  };

  std::vector<std::uint64_t> leaves(std::uint64_t root) const;
  bitmap_entry find_entry(std::uint64_t block) const;
  std::uint64_t get(std::uint64_t block, std::size_t offset, std::size_t size) const;
  void set(std::uint64_t block, std::size_t offset, std::size_t size, std::uint64_t value);
  std::uint32_t remainder(std::uint64_t block) const;

  std::string bytes_;
};

}  // namespace harness
