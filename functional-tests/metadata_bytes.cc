#include "metadata_bytes.h"

#include <algorithm>
#include <stdexcept>

namespace harness {
namespace {

// Space map: 32 entries in each of the 64-bit words of a bitmap block, from byte 16 on.
constexpr std::uint64_t entries_per_bitmap = 16320;
constexpr std::size_t bitmap_words = 16;
constexpr std::size_t index_entries = 16;
constexpr std::size_t index_entry_size = 16;

constexpr std::size_t nr_free = 8;
constexpr std::size_t none_free_before = 12;

constexpr std::uint32_t internal_node = 1;
constexpr std::uint32_t leaf_node = 2;
constexpr std::size_t max_writesets = 201;
constexpr std::size_t writeset_value_size = 12;

}  // namespace

metadata_bytes::metadata_bytes(const image& image) {
  const temporary_folder folder;
  const auto path = folder / "metadata";
  image.unpack(path);
  bytes_ = read_file(path);
}

std::uint64_t metadata_bytes::get(std::uint64_t block, std::size_t offset, std::size_t size) const {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) {
    value = value << 8 |
            static_cast<unsigned char>(bytes_.at(block * metadata_block_size + offset + i));
  }
  return value;
}

void metadata_bytes::put(std::uint64_t block, std::size_t offset, std::size_t size,
                         std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes_.at(block * metadata_block_size + offset + i) = static_cast<char>(value >> (8 * i));
  }
}

void metadata_bytes::set(std::uint64_t block, std::size_t offset, std::size_t size,
                         std::uint64_t value) {
  const auto before = kind(block);
  if (!before) {
    throw std::logic_error("not a sealed block");
  }
  put(block, offset, size, value);
  seal(block, *before);
}

std::uint32_t metadata_bytes::get32(std::uint64_t block, std::size_t offset) const {
  return static_cast<std::uint32_t>(get(block, offset, 4));
}

std::uint64_t metadata_bytes::get64(std::uint64_t block, std::size_t offset) const {
  return get(block, offset, 8);
}

void metadata_bytes::set32(std::uint64_t block, std::size_t offset, std::uint32_t value) {
  set(block, offset, 4, value);
}

void metadata_bytes::set64(std::uint64_t block, std::size_t offset, std::uint64_t value) {
  set(block, offset, 8, value);
}

void metadata_bytes::damage(std::uint64_t block, std::size_t offset, unsigned char difference) {
  auto& byte = bytes_.at(block * metadata_block_size + offset);
  byte = static_cast<char>(static_cast<unsigned char>(byte) ^ difference);
}

// CRC-32C without the final inversion, over all but the checksum, bit by bit.
std::uint32_t metadata_bytes::remainder(std::uint64_t block) const {
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::size_t i = 4; i < metadata_block_size; ++i) {
    crc ^= static_cast<unsigned char>(bytes_.at(block * metadata_block_size + i));
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
    }
  }
  return crc;
}

std::optional<block_kind> metadata_bytes::kind(std::uint64_t block) const {
  const auto found = static_cast<block_kind>(get32(block, 0) ^ remainder(block));
  switch (found) {
    case block_kind::superblock:
    case block_kind::node:
    case block_kind::array:
    case block_kind::index:
    case block_kind::bitmap:
      return found;
  }
  return std::nullopt;
}

void metadata_bytes::seal(std::uint64_t block, block_kind kind) {
  put(block, 0, 4, remainder(block) ^ static_cast<std::uint32_t>(kind));
}

void metadata_bytes::copy_node(std::uint64_t from, std::uint64_t to) {
  bytes_.replace(to * metadata_block_size, metadata_block_size, bytes_, from * metadata_block_size,
                 metadata_block_size);
  set64(to, node::blocknr, to);
}

void metadata_bytes::put_node_header(std::uint64_t block, std::uint32_t flags,
                                     std::uint64_t nr_entries, std::uint32_t max_entries,
                                     std::uint32_t value_size) {
  bytes_.replace(block * metadata_block_size, metadata_block_size, metadata_block_size, '\0');
  put(block, node::flags, 4, flags);
  put(block, node::blocknr, 8, block);
  put(block, node::nr_entries, 4, nr_entries);
  put(block, node::max_entries, 4, max_entries);
  put(block, node::value_size, 4, value_size);
}

void metadata_bytes::make_writesets(std::uint64_t block, std::uint32_t first, std::uint32_t count,
                                    std::uint32_t nr_bits, std::uint64_t root) {
  put_node_header(block, leaf_node, count, max_writesets, writeset_value_size);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t value = node::keys + 8 * max_writesets + writeset_value_size * i;
    put(block, node::keys + std::size_t{8} * i, 8, first + i);
    put(block, value, 4, nr_bits);
    put(block, value + 4, 8, root);
  }
  seal(block, block_kind::node);
}

void metadata_bytes::make_node(std::uint64_t block, bool leaf,
                               const std::vector<node_entry>& entries, std::uint32_t max_entries) {
  put_node_header(block, leaf ? leaf_node : internal_node, entries.size(), max_entries, 8);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    put(block, node::keys + 8 * i, 8, entries[i].key);
    put(block, node::keys + 8 * (max_entries + i), 8, entries[i].block);
  }
  seal(block, block_kind::node);
}

std::size_t metadata_bytes::index_entry(std::uint64_t block) const {
  return index_entries + block / entries_per_bitmap * index_entry_size;
}

metadata_bytes::bitmap_entry metadata_bytes::find_entry(std::uint64_t block) const {
  const auto bitmap = get64(space_map_index(*this), index_entry(block));
  const auto entry = block % entries_per_bitmap;
  return {bitmap, bitmap_words + entry / 4, static_cast<unsigned>(entry % 4 * 2)};
}

unsigned metadata_bytes::count(std::uint64_t block) const {
  const auto entry = find_entry(block);
  const auto bits = get(entry.block, entry.byte, 1) >> entry.shift;
  // The lower bit on disk is the higher one of the count.
  return static_cast<unsigned>((bits & 1) << 1 | (bits >> 1 & 1));
}

void metadata_bytes::set_count(std::uint64_t block, unsigned count) {
  const auto entry = find_entry(block);
  const auto others = get(entry.block, entry.byte, 1) & ~(std::uint64_t{3} << entry.shift);
  const std::uint64_t bits = (count & 1) << 1 | (count >> 1 & 1);
  set(entry.block, entry.byte, 1, others | bits << entry.shift);
}

std::vector<std::uint64_t> metadata_bytes::used_blocks() const {
  std::vector<std::uint64_t> used;
  const auto nr_blocks = get64(0, superblock::map_nr_blocks);
  for (std::uint64_t block = 0; block < nr_blocks; ++block) {
    if (count(block) != 0) {
      used.push_back(block);
    }
  }
  return used;
}

std::uint64_t metadata_bytes::first_free_block() const {
  std::uint64_t block = 0;
  while (count(block) != 0) {
    ++block;
  }
  return block;
}

std::uint64_t metadata_bytes::take_block() {
  const auto block = first_free_block();
  set_count(block, 1);
  add64(*this, 0, superblock::map_nr_allocated, 1);
  add32(*this, space_map_index(*this), index_entry(block) + nr_free, -1);
  return block;
}

void metadata_bytes::free_block(std::uint64_t block) {
  const auto index = space_map_index(*this);
  const auto hint = index_entry(block) + none_free_before;
  set_count(block, 0);
  add64(*this, 0, superblock::map_nr_allocated, -1);
  add32(*this, index, index_entry(block) + nr_free, 1);
  set32(index, hint,
        std::min(get32(index, hint), static_cast<std::uint32_t>(block % entries_per_bitmap)));
}

std::size_t metadata_bytes::value_offset(std::uint64_t node, std::uint32_t entry) const {
  return node::keys + std::size_t{8} * get32(node, node::max_entries) +
         std::size_t{entry} * get32(node, node::value_size);
}

std::vector<std::uint64_t> metadata_bytes::leaves(std::uint64_t root) const {
  if (get32(root, node::flags) != internal_node) {
    return {root};
  }
  std::vector<std::uint64_t> result;
  for (std::uint32_t i = 0; i < get32(root, node::nr_entries); ++i) {
    const auto below = leaves(get64(root, value_offset(root, i)));
    result.insert(result.end(), below.begin(), below.end());
  }
  return result;
}

std::map<std::uint64_t, std::uint64_t> metadata_bytes::array_blocks(std::uint64_t root) const {
  std::map<std::uint64_t, std::uint64_t> blocks;
  for (const auto leaf : leaves(root)) {
    for (std::uint32_t i = 0; i < get32(leaf, node::nr_entries); ++i) {
      blocks[get64(leaf, node::keys + std::size_t{8} * i)] = get64(leaf, value_offset(leaf, i));
    }
  }
  return blocks;
}

std::vector<writeset_root> metadata_bytes::writesets(std::uint64_t root) const {
  std::vector<writeset_root> result;
  for (const auto leaf : leaves(root)) {
    for (std::uint32_t i = 0; i < get32(leaf, node::nr_entries); ++i) {
      const auto value = value_offset(leaf, i);
      const auto era = get64(leaf, node::keys + std::size_t{8} * i);
      result.push_back(
          {static_cast<std::uint32_t>(era), get32(leaf, value), get64(leaf, value + 4)});
    }
  }
  return result;
}

std::uint64_t writeset_tree(const metadata_bytes& m) {
  return m.get64(0, superblock::writeset_tree);
}

std::uint64_t era_array(const metadata_bytes& m) {
  return m.get64(0, superblock::era_array);
}

std::uint64_t first_bitset(const metadata_bytes& m) {
  return m.writesets(writeset_tree(m)).front().root;
}

std::uint64_t space_map_index(const metadata_bytes& m) {
  return m.get64(0, superblock::map_index);
}

std::uint64_t first_bitmap(const metadata_bytes& m) {
  return m.get64(space_map_index(m), 16);
}

std::uint64_t metadata_size(const metadata_bytes& m) {
  return m.bytes().size() / metadata_block_size;
}

void set_child(metadata_bytes& m, std::uint64_t node, std::uint32_t entry, std::uint64_t child) {
  m.set64(node, m.value_offset(node, entry), child);
}

void set_key(metadata_bytes& m, std::uint64_t node, std::uint32_t entry, std::uint64_t key) {
  m.set64(node, node::keys + std::size_t{8} * entry, key);
}

void add32(metadata_bytes& m, std::uint64_t block, std::size_t offset, int difference) {
  m.set32(block, offset, m.get32(block, offset) + static_cast<std::uint32_t>(difference));
}

void add64(metadata_bytes& m, std::uint64_t block, std::size_t offset, int difference) {
  m.set64(block, offset,
          m.get64(block, offset) + static_cast<std::uint64_t>(std::int64_t{difference}));
}

}  // namespace harness
