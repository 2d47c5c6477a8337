#include "benchmarks/aging.h"

#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "benchmarks/contents.h"
#include "era/format/writeset.h"
#include "persistent-data/btree_node.h"

namespace bench {
namespace {

constexpr std::uint64_t order_stream = UINT64_MAX;

}  // namespace

aged_device::aged_device(pd::block_device& to, pd::block_nr nr_used, std::uint64_t seed)
    : to_(to), places_(nr_used) {
  std::iota(places_.begin(), places_.end(), 0);
  random_stream random(seed, order_stream);
  for (auto i = static_cast<std::uint32_t>(nr_used); i > 2; --i) {
    std::swap(places_[i - 1], places_[1 + random.below(i - 1)]);
  }
}

void aged_device::read(std::span<pd::read_request>) {
  throw std::logic_error("an aged device can only be written");
}

void aged_device::write(std::span<const pd::write_request> batch) {
  pd::block_buffer copy(1);
  std::byte* const block = copy.block(0);
  for (const pd::write_request& request : batch) {
    std::memcpy(block, request.from, pd::block_size);
    if (std::memcmp(block, era::restore_mark.data(), era::restore_mark.size()) == 0) {
      to_.write({&request, 1});
      continue;
    }
    const pd::block_type& type = type_of(block, request.where);
    if (type.salt == pd::node_block.salt) {
      follow_in_node(block);
    } else if (type.salt == pd::index_block.salt) {
      follow_in_index(block);
    } else if (type.salt == era::superblock_block.salt) {
      follow_in_superblock(block);
    }
    pd::seal_block(type, place_of(request.where), block);
    const pd::write_request moved{place_of(request.where), block};
    to_.write({&moved, 1});
  }
}

const pd::block_type& aged_device::type_of(const std::byte* block, pd::block_nr where) const {
  const std::uint32_t salt = pd::body_crc(block) ^ pd::stored_checksum(block);
  for (const pd::block_type* type : {&pd::array_block, &pd::node_block, &pd::bitmap_block,
                                     &pd::index_block, &era::superblock_block}) {
    if (type->salt == salt) {
      return *type;
    }
  }
  throw std::logic_error("block " + std::to_string(where) + " is not metadata");
}

// Children, array blocks, roots of bitsets. The reference counts above 2, which a leaf may hold as
// well, do not occur.
void aged_device::follow_in_node(std::byte* block) const {
  const pd::node_view node(block);
  for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
    std::byte* pointer = block + (node.value(i) - block);
    if (node.value_size() == era::writeset_value_size) {
      pointer += sizeof(std::uint32_t);
    }
    base::put_le64(pointer, place_of(base::get_le64(pointer)));
  }
}

void aged_device::follow_in_index(std::byte* block) const {
  for (std::size_t i = 0; i < pd::index_entries; ++i) {
    pd::index_entry entry = pd::decode_index_entry(block, i);
    entry.bitmap = place_of(entry.bitmap);
    pd::encode_index_entry(entry, i, block);
  }
}

void aged_device::follow_in_superblock(std::byte* block) const {
  era::superblock live = era::decode_superblock(block);
  for (pd::block_nr* const root : {&live.writeset_tree_root, &live.era_array_root,
                                   &live.space_map.bitmap_root, &live.space_map.ref_count_root}) {
    *root = place_of(*root);
  }
  era::encode_superblock(live, block);
}

pd::block_nr aged_device::place_of(pd::block_nr block) const {
  return places_.at(block);
}

}  // namespace bench
