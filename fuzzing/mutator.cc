#include "fuzzing/mutator.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/bytes.h"
#include "era/format/superblock.h"
#include "persistent-data/array.h"
#include "persistent-data/btree_node.h"

namespace fuzz {
namespace {

// A number in a block.
struct field {
  std::size_t at;
  unsigned size;  // bytes
};

// doc/format.md 2; the last one stands for all that is reserved.
constexpr field superblock_fields[] = {{4, 4},   {32, 8},  {40, 4},  {44, 8},  {52, 8},  {60, 8},
                                       {68, 8},  {76, 4},  {172, 4}, {176, 4}, {180, 4}, {184, 4},
                                       {188, 4}, {192, 8}, {200, 8}, {208, 8}, {216, 8}, {300, 4}};
constexpr field bitmap_root{60, 8};
constexpr std::size_t nr_blocks_at = 180;
constexpr std::size_t current_era_at = 184;

std::uint64_t get(const image_block& block, field where) {
  return where.size == 4 ? base::get_le32(block.bytes.data() + where.at)
                         : base::get_le64(block.bytes.data() + where.at);
}

void put(image_block& block, field where, std::uint64_t value) {
  if (where.size == 4) {
    base::put_le32(block.bytes.data() + where.at, static_cast<std::uint32_t>(value));
  } else {
    base::put_le64(block.bytes.data() + where.at, value);
  }
}

// What a node says of itself, made to fit the block.
struct node_shape {
  std::uint32_t max_entries;
  std::uint32_t value_size;
  std::uint32_t nr_entries;
  bool fits;  // as it stands in the block

  explicit node_shape(const image_block& block) {
    const pd::node_view node(block.bytes.data());
    value_size = node.value_size() == 12 || node.value_size() == 4 ? node.value_size() : 8;
    max_entries = std::min(node.max_entries(), pd::node_capacity(value_size));
    nr_entries = std::min(node.nr_entries(), max_entries);
    fits = max_entries == node.max_entries() && nr_entries == node.nr_entries() &&
           value_size == node.value_size();
  }

  std::size_t key_at(std::uint32_t i) const {
    return pd::node_header_size + pd::key_size * std::size_t{i};
  }
  std::size_t value_at(std::uint32_t i) const {
    return key_at(max_entries) + std::size_t{value_size} * i;
  }

  // The block that entry i names; no field where the values of the node name none.
  field pointer(std::uint32_t i) const { return {value_at(i) + value_size - 8, 8}; }
  bool has_pointers() const { return value_size >= 8; }
};

class mutation {
 public:
  mutation(image& what, random_source& random) : image_(what), random_(random) {}

  void any() {
    if (image_.blocks.empty()) {
      image_.blocks[0] = {};
    }
    switch (below(16)) {
      case 0:
        return change_length();
      case 1:
        return copy_block(pick(), pick_number());
      case 2:
        return std::swap(image_.blocks[pick()], image_.blocks[pick_number()]);
      case 3:
        return change_sealing();
      case 4:
      case 5:
        return move_block(pick(), pick_number());
      case 6:
        image_.blocks.erase(pick());
        return;
      case 7:
      case 8:
      case 9:
        return change_block(image_.blocks.begin()->first);
      default:
        return change_block(pick());
    }
  }

  std::uint32_t below(std::uint64_t n) {
    return static_cast<std::uint32_t>(random_() % std::max<std::uint64_t>(n, 1));
  }

  // A block of the image.
  std::uint32_t pick() {
    return std::next(image_.blocks.begin(), below(image_.blocks.size()))->first;
  }

 private:
  // A block of the image, or one beside them.
  std::uint32_t pick_number() {
    switch (below(4)) {
      case 0:
        return below(image_.nr_blocks);
      case 1:
        return (image_.blocks.rbegin()->first + 1) % most_blocks;
      default:
        return pick();
    }
  }

  std::uint32_t superblock_number(std::size_t at) {
    const auto found = image_.blocks.find(0);
    return found == image_.blocks.end() ? 0
                                        : static_cast<std::uint32_t>(get(found->second, {at, 4}));
  }

  // Something that a number may be: near what it was, a block, an era, a limit.
  std::uint64_t value_for(std::uint64_t old, std::uint32_t own_number) {
    switch (below(14)) {
      case 0:
        return 0;
      case 1:
        return own_number;
      case 2:
        return own_number + std::uint64_t{1} - 2 * below(2);
      case 3:
        return old + 1;
      case 4:
        return old - 1;
      case 5:
      case 6:
        return pick();
      case 7:
        return image_.nr_blocks - below(2);
      case 8:
        return superblock_number(nr_blocks_at) + std::uint64_t{1} - below(3);
      case 9:
        return superblock_number(current_era_at) + std::uint64_t{1} - below(3);
      case 10:
        return UINT64_MAX >> below(64);
      case 11:
        return std::uint64_t{1} << below(64);
      case 12:
        return below(1000);
      default:
        return old ^ (std::uint64_t{1} << below(64));
    }
  }

  void change(image_block& block, field where, std::uint32_t own_number) {
    put(block, where, value_for(get(block, where), own_number));
  }

  void change_length() {
    constexpr std::uint32_t lengths[] = {1, 16320, 16321, 2 * 16320, 2 * 16320 + 1, most_blocks};
    const std::uint32_t picked = below(3) == 0 ? lengths[below(std::size(lengths))]
                                 : below(2)    ? pick() + below(3)
                                               : image_.nr_blocks + 1 - below(3);
    image_.nr_blocks = std::clamp<std::uint32_t>(picked, 1, most_blocks);
  }

  void copy_block(std::uint32_t from, std::uint32_t to) {
    const image_block copied = image_.blocks[from];
    image_.blocks[to] = copied;
  }

  // Between sealed and raw: a raw one has the checksum that was right, before a byte of it changes.
  void change_sealing() {
    const std::uint32_t number = pick();
    image_block& block = image_.blocks[number];
    if (block.kind == block_kind::raw) {
      block.kind = static_cast<block_kind>(below(nr_block_kinds));
      return;
    }
    pd::seal_block(type_of(block.kind), number, block.bytes.data());
    block.kind = block_kind::raw;
    block.bytes[below(pd::block_size)] ^= static_cast<std::byte>(1U << below(8));
  }

  void change_block(std::uint32_t number) {
    image_block& block = image_.blocks[number];
    switch (block.kind) {
      case block_kind::superblock:
        return change(block, superblock_fields[below(std::size(superblock_fields))], number);
      case block_kind::node:
        return change_node(block, number);
      case block_kind::array:
        return change_array(block, number);
      case block_kind::index:
        return change_index(block, number);
      case block_kind::bitmap:
        return change_count(block, below(4) == 0 ? image_.nr_blocks - 1 : pick(), below(4));
      case block_kind::raw:
        block.bytes[below(pd::block_size)] = static_cast<std::byte>(below(256));
    }
  }

  void change_node(image_block& block, std::uint32_t number) {
    constexpr field header[] = {{4, 4}, {16, 4}, {20, 4}, {24, 4}, {28, 4}};
    const node_shape node(block);
    const std::uint32_t i = below(node.nr_entries);
    const bool has_entries = node.fits && node.nr_entries > 0;
    switch (below(8)) {
      case 0:
        return change(block, header[below(std::size(header))], number);
      case 1:
      case 2:
        return change(block, {node.key_at(i), 8}, number);
      case 3:
        if (has_entries && node.nr_entries < node.max_entries) {
          std::byte value[12];
          std::copy_n(block.bytes.begin() + static_cast<std::ptrdiff_t>(node.value_at(i)),
                      node.value_size, value);
          pd::insert_entry(block.bytes.data(), i + 1,
                           base::get_le64(block.bytes.data() + node.key_at(i)) + 1, value);
        }
        return;
      case 4:
        if (has_entries) {
          pd::erase_entry(block.bytes.data(), i);
        }
        return;
      case 5:
        if (node.value_size == 12) {  // nr_bits of a writeset
          return change(block, {node.value_at(i), 4}, number);
        }
        [[fallthrough]];
      default:
        return change(block, node.has_pointers() ? node.pointer(i) : field{node.value_at(i), 4},
                      number);
    }
  }

  void change_array(image_block& block, std::uint32_t number) {
    constexpr field header[] = {{4, 4}, {8, 4}, {12, 4}};
    if (below(5) == 0) {
      return change(block, header[below(std::size(header))], number);
    }
    const unsigned size = get(block, {12, 4}) == 8 ? 8 : 4;
    const std::uint32_t entries = std::min<std::uint32_t>(
        static_cast<std::uint32_t>(get(block, {8, 4})), pd::array_capacity(size));
    change(block, {pd::array_header_size + std::size_t{size} * below(entries), size}, number);
  }

  void change_index(image_block& block, std::uint32_t number) {
    const std::uint32_t entry = below(4) == 0 ? below(pd::index_entries) : below(3);
    constexpr field parts[] = {{16, 8}, {24, 4}, {28, 4}};
    field part = parts[below(3)];
    part.at += 16 * std::size_t{entry};
    change(block, part, number);
  }

  void change_count(image_block& bitmap, std::uint32_t of, std::uint32_t count) {
    pd::set_bitmap_count(bitmap.bytes.data(), of % pd::counts_per_bitmap, count);
  }

  // Calls `visit` with each pointer of a block.
  template <typename Visit>
  void for_each_pointer(image_block& block, Visit visit) {
    switch (block.kind) {
      case block_kind::superblock:
        for (const std::size_t at : {60, 68, 192, 200, 208, 216}) {
          visit(field{at, 8});
        }
        return;
      case block_kind::node: {
        const node_shape node(block);
        for (std::uint32_t i = 0; node.has_pointers() && i < node.nr_entries; ++i) {
          visit(node.pointer(i));
        }
        return;
      }
      case block_kind::index:
        for (std::uint32_t i = 0; i < pd::index_entries; ++i) {
          visit(field{16 + 16 * std::size_t{i}, 8});
        }
        return;
      case block_kind::array:
      case block_kind::bitmap:
      case block_kind::raw:
        return;
    }
  }

  // The two change places, with all that names them and their counts: sound metadata stays sound.
  void move_block(std::uint32_t one, std::uint32_t other) {
    if (one == 0 || other == 0 || one == other || other >= image_.nr_blocks) {
      return;
    }
    swap_counts(one, other);
    std::swap(image_.blocks[one], image_.blocks[other]);
    for (auto& [number, block] : image_.blocks) {
      image_block& in = block;
      for_each_pointer(in, [&](field where) {
        const std::uint64_t named = get(in, where);
        if (named == one || named == other) {
          put(in, where, one + other - named);
        }
      });
    }
  }

  image_block* find(std::uint64_t number) {
    const auto found = image_.blocks.find(static_cast<std::uint32_t>(number % most_blocks));
    return found == image_.blocks.end() ? nullptr : &found->second;
  }

  // The entry of the index that covers a block, and the bitmap; null where they are not there.
  struct coverage {
    image_block* index;
    field nr_free;
    field none_free_before;
    image_block* bitmap;
  };

  coverage coverage_of(std::uint32_t number) {
    const std::size_t entry = 16 + 16 * std::size_t{number / pd::counts_per_bitmap};
    image_block* const superblock = find(0);
    image_block* const index =
        superblock == nullptr ? nullptr : find(get(*superblock, bitmap_root));
    image_block* const bitmap = index == nullptr ? nullptr : find(get(*index, {entry, 8}));
    return {index, {entry + 8, 4}, {entry + 12, 4}, bitmap};
  }

  void swap_counts(std::uint32_t one, std::uint32_t other) {
    const coverage first = coverage_of(one);
    const coverage second = coverage_of(other);
    if (first.bitmap == nullptr || second.bitmap == nullptr) {
      return;
    }
    const std::uint32_t count = count_of(first, one);
    const std::uint32_t other_count = count_of(second, other);
    change_count(*first.bitmap, one, other_count);
    change_count(*second.bitmap, other, count);
    add_free(first, (other_count == 0) - (count == 0));
    add_free(second, (count == 0) - (other_count == 0));
  }

  std::uint32_t count_of(const coverage& in, std::uint32_t number) {
    return pd::bitmap_count(in.bitmap->bytes.data(), number % pd::counts_per_bitmap);
  }

  // Where the first free block is may be a lower number than it should.
  void add_free(const coverage& to, int blocks) {
    put(*to.index, to.nr_free, get(*to.index, to.nr_free) + static_cast<std::uint64_t>(blocks));
    put(*to.index, to.none_free_before, 0);
  }

  image& image_;
  random_source& random_;
};

}  // namespace

void mutate(image& what, random_source& random) {
  mutation(what, random).any();
}

void mix(image& what, const image& other, random_source& random) {
  if (other.blocks.empty()) {
    return;
  }
  for (std::size_t left = 1 + random() % 4; left > 0; --left) {
    const auto taken = std::next(other.blocks.begin(),
                                 static_cast<std::ptrdiff_t>(random() % other.blocks.size()));
    what.blocks[taken->first] = taken->second;
  }
}

}  // namespace fuzz
