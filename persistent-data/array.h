// Arrays of fixed-size values, and bitsets, which are arrays of 64-bit words (doc/format.md 4): a
// btree whose keys 0, 1, 2 … name array blocks. Reading has two steps: the index (which block holds
// which part; the btree nodes are under half a percent of an array), then the blocks, in any
// order and windows the caller needs. Not thread safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "persistent-data/btree_walk.h"

namespace pd {

inline constexpr std::size_t array_header_size = 24;

// A bitset's words.
inline constexpr std::uint32_t word_size = 8;  // bytes
inline constexpr std::uint32_t bits_per_word = 8 * word_size;

inline constexpr std::uint32_t array_capacity(std::uint32_t value_size) {
  return static_cast<std::uint32_t>((block_size - array_header_size) / value_size);
}

// How long an array is, and of what. The length stands beside the root, never in the array.
struct array_shape {
  std::uint32_t value_size = sizeof(std::uint32_t);
  std::uint64_t nr_elements = 0;

  std::uint64_t nr_array_blocks() const {
    return base::ceil_div(nr_elements, array_capacity(value_size));
  }

  // Elements in the array block with this key, which is below nr_array_blocks().
  std::uint32_t entries(std::uint64_t key) const {
    const std::uint64_t capacity = array_capacity(value_size);
    const std::uint64_t rest = nr_elements - key * capacity;
    return static_cast<std::uint32_t>(rest < capacity ? rest : capacity);
  }
};

// An array and where it is.
struct array_root : array_shape {
  array_root() = default;
  array_root(block_nr where, const array_shape& shape) : array_shape(shape), root(where) {}

  block_nr root = no_block;
};

inline array_shape bitset_shape(std::uint64_t nr_bits) {
  return {word_size, base::ceil_div(nr_bits, bits_per_word)};
}

inline array_root bitset_root(block_nr root, std::uint64_t nr_bits) {
  return {root, bitset_shape(nr_bits)};
}

// An array block by its place in the array. Keys and block numbers of metadata are below 2^32.
struct array_block_ref {
  std::uint32_t key;
  std::uint32_t block;
};

// The header of an array block; init starts from a zeroed one. `entries` is how many values the
// block holds.
void init_array_block(std::byte* block, std::uint32_t value_size, std::uint32_t entries);
void put_array_entries(std::byte* block, std::uint32_t entries);

// How many values an array block says that it holds; nothing has checked it.
std::uint32_t array_entries(const std::byte* block);

// What is wrong with the header of an array block that is sound otherwise, if anything.
std::optional<damage> check_array_block(const std::byte* block, block_nr where,
                                        std::uint32_t value_size, std::uint32_t entries);

// Damage comes with the elements that are lost.
class index_visitor : public damage_sink {
 public:
  virtual void begin_array(std::size_t /*i*/) {}

  // The next array block of the present array, in ascending order of keys. Blocks that are missing
  // or can't be named are left out and reported; stale ones (format.md 4) likewise.
  virtual void array_block_at(array_block_ref ref) = 0;
};

// Reads the indexes of arrays, one after the other.
void read_indexes(walk_context& context, std::span<const array_root> arrays,
                  index_visitor& visitor);

// One array block to read. `tag` is the caller's, and comes back with the block.
struct array_block_request {
  array_block_ref ref{};
  std::uint32_t entries = 0;  // how many values it must hold
  std::uint32_t value_size = 4;
  std::uint32_t tag = 0;
};

class array_block_visitor {
 public:
  virtual ~array_block_visitor() = default;

  // The values of one block, request.entries of them.
  virtual void values(const array_block_request& request, const std::byte* data) = 0;

  // Its values are lost: the elements from key × capacity on, of its array.
  virtual void damaged(const array_block_request& request, const damage& found) = 0;
};

// Some array blocks, read.
class array_block_batch {
 public:
  static constexpr std::size_t most = read_batch;

  // The requests, at most `most`, must stay where they are.
  void read(block_reader& reader, std::span<const array_block_request> requests);

  // Verifies them and hands them over, in the order of the requests.
  void hand_over(array_block_visitor& visitor);

 private:
  std::span<const array_block_request> requests_;
  std::vector<block_nr> blocks_;
  block_buffer buffer_{0};
  std::size_t room_ = 0;  // blocks of buffer_
  std::vector<std::optional<damage>> faults_;
};

// Reads array blocks in batches and hands them over in the order asked for.
class array_block_reader {
 public:
  explicit array_block_reader(block_reader& reader) : reader_(reader) {}
  void read(std::span<const array_block_request> requests, array_block_visitor& visitor);

 private:
  block_reader& reader_;
  array_block_batch batch_;
};

// Reads array blocks as they lie on the device and hands them over in that order: the fastest way
// where the caller has no order of its own. Another thread reads ahead; `visitor` is called by the
// present one. The reader must not be used meanwhile.
void read_in_disk_order(block_reader& reader, std::vector<array_block_request> requests,
                        array_block_visitor& visitor);

}  // namespace pd
