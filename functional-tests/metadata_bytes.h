// The bytes of a metadata device, decoded and changed by hand from the description of the format:
// independent of the code under test, and able to write what no tool would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
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
constexpr std::size_t flags = 4;
constexpr std::size_t blocknr = 8;
constexpr std::size_t magic = 32;
constexpr std::size_t version = 40;
constexpr std::size_t map_nr_blocks = 44;
constexpr std::size_t map_nr_allocated = 52;
constexpr std::size_t map_index = 60;
constexpr std::size_t map_counts = 68;
constexpr std::size_t data_block_size = 172;
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

struct node_entry {
  std::uint64_t key;
  std::uint64_t block;
};

struct writeset_root {
  std::uint32_t era;
  std::uint32_t nr_bits;
  std::uint64_t root;
};

class metadata_bytes {
 public:
  explicit metadata_bytes(const image& image);
  explicit metadata_bytes(std::string bytes) : bytes_(std::move(bytes)) {}

  const std::string& bytes() const { return bytes_; }
  // Cuts off the end, or adds free blocks that the space map does not cover.
  void resize(std::uint64_t blocks) { bytes_.resize(blocks * metadata_block_size); }

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
  // Makes the block a node with these keys, each with the number of a block.
  void make_node(std::uint64_t block, bool leaf, const std::vector<node_entry>& entries,
                 std::uint32_t max_entries = 252);
  // Makes the block a leaf of a writeset tree: eras from `first` on, whose writesets are all alike.
  void make_writesets(std::uint64_t block, std::uint32_t first, std::uint32_t count,
                      std::uint32_t nr_bits, std::uint64_t root);

  // The space map. A count of 3 stands for all from 3 on.
  unsigned count(std::uint64_t block) const;
  void set_count(std::uint64_t block, unsigned count);
  std::vector<std::uint64_t> used_blocks() const;
  std::uint64_t first_free_block() const;
  // Takes a free block into use, or frees one, in all that the space map says.
  std::uint64_t take_block();
  void free_block(std::uint64_t block);

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
  std::size_t index_entry(std::uint64_t block) const;
  void put_node_header(std::uint64_t block, std::uint32_t flags, std::uint64_t nr_entries,
                       std::uint32_t max_entries, std::uint32_t value_size);
  void put(std::uint64_t block, std::size_t offset, std::size_t size, std::uint64_t value);
  std::uint64_t get(std::uint64_t block, std::size_t offset, std::size_t size) const;
  void set(std::uint64_t block, std::size_t offset, std::size_t size, std::uint64_t value);
  std::uint32_t remainder(std::uint64_t block) const;

  std::string bytes_;
};

// Shorthands for places in metadata, and for changes there.
std::uint64_t writeset_tree(const metadata_bytes& m);
std::uint64_t era_array(const metadata_bytes& m);
std::uint64_t first_bitset(const metadata_bytes& m);
std::uint64_t space_map_index(const metadata_bytes& m);
std::uint64_t first_bitmap(const metadata_bytes& m);
std::uint64_t metadata_size(const metadata_bytes& m);  // in blocks
void set_child(metadata_bytes& m, std::uint64_t node, std::uint32_t entry, std::uint64_t child);
void set_key(metadata_bytes& m, std::uint64_t node, std::uint32_t entry, std::uint64_t key);
void add32(metadata_bytes& m, std::uint64_t block, std::size_t offset, int difference);
void add64(metadata_bytes& m, std::uint64_t block, std::size_t offset, int difference);

}  // namespace harness
