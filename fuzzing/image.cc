#include "fuzzing/image.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "era/format/superblock.h"
#include "persistent-data/disk_space_map.h"

namespace fuzz {
namespace {

constexpr std::size_t piece_header = 9;

// Zeros between two pieces of a block; fewer are not worth another header.
constexpr std::size_t gap = 2 * piece_header;

const std::byte* bytes_of(std::span<const std::uint8_t> from) {
  return reinterpret_cast<const std::byte*>(from.data());
}

void append_le(std::vector<std::uint8_t>& to, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) {
    to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

void append_piece(std::vector<std::uint8_t>& to, std::uint32_t where, const image_block& block,
                  std::size_t first, std::size_t end) {
  to.push_back(static_cast<std::uint8_t>(block.kind));
  append_le(to, where, 4);
  append_le(to, first, 2);
  append_le(to, end - first, 2);
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(block.bytes.data());
  to.insert(to.end(), bytes + first, bytes + end);
}

void append_block(std::vector<std::uint8_t>& to, std::uint32_t where, image_block block) {
  if (block.kind != block_kind::raw) {  // sealing puts them back
    base::put_le32(block.bytes.data(), 0);
    base::put_le64(block.bytes.data() + type_of(block.kind).number_at, 0);
  }
  const auto is_zero = [&](std::size_t at) { return block.bytes[at] == std::byte{0}; };
  bool is_empty = true;
  for (std::size_t at = 0; at < pd::block_size; ++at) {
    if (is_zero(at)) {
      continue;
    }
    std::size_t end = at + 1;
    for (std::size_t next = end; next < pd::block_size && next < end + gap; ++next) {
      end = is_zero(next) ? end : next + 1;
    }
    append_piece(to, where, block, at, end);
    is_empty = false;
    at = end;
  }
  if (is_empty && block.kind != block_kind::raw) {
    append_piece(to, where, block, 0, 0);
  }
}

block_kind kind_of(const std::byte* block, std::uint32_t where) {
  for (std::uint8_t i = 1; i < nr_block_kinds; ++i) {
    const auto kind = static_cast<block_kind>(i);
    if ((pd::body_crc(block) ^ pd::stored_checksum(block)) == type_of(kind).salt &&
        pd::stored_number(type_of(kind), block) == where) {
      return kind;
    }
  }
  return block_kind::raw;
}

}  // namespace

const pd::block_type& type_of(block_kind kind) {
  switch (kind) {
    case block_kind::superblock:
      return era::superblock_block;
    case block_kind::array:
      return pd::array_block;
    case block_kind::index:
      return pd::index_block;
    case block_kind::bitmap:
      return pd::bitmap_block;
    case block_kind::raw:
    case block_kind::node:
      break;
  }
  return pd::node_block;
}

image decode_image(std::span<const std::uint8_t> from) {
  image into;
  if (from.size() < 4) {
    return into;
  }
  into.nr_blocks = 1 + (base::get_le32(bytes_of(from)) - 1) % most_blocks;
  for (from = from.subspan(4); from.size() >= piece_header;) {
    const std::byte* const header = bytes_of(from);
    const auto kind = static_cast<block_kind>(from[0] % nr_block_kinds);
    const std::uint32_t where = base::get_le32(header + 1) % most_blocks;
    const std::uint32_t extent = base::get_le32(header + 5);
    const std::size_t offset = (extent & 0xFFFF) % pd::block_size;
    const std::size_t size = extent >> 16;
    from = from.subspan(piece_header);
    const std::size_t taken = std::min({size, from.size(), pd::block_size - offset});
    image_block& block = into.blocks[where];
    block.kind = kind;
    std::copy_n(bytes_of(from), taken, block.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    from = from.subspan(std::min(size, from.size()));
  }
  return into;
}

std::vector<std::uint8_t> encode_image(const image& from) {
  std::vector<std::uint8_t> bytes;
  append_le(bytes, from.nr_blocks, 4);
  for (const auto& [where, block] : from.blocks) {
    append_block(bytes, where, block);
  }
  return bytes;
}

sparse_device device_of(const image& from) {
  sparse_device device(from.nr_blocks);
  for (const auto& [where, block] : from.blocks) {
    if (where >= from.nr_blocks) {
      break;
    }
    std::byte* const bytes = device.block(where);
    std::copy(block.bytes.begin(), block.bytes.end(), bytes);
    if (block.kind != block_kind::raw) {
      pd::seal_block(type_of(block.kind), where, bytes);
    }
  }
  return device;
}

image image_of(sparse_device& device) {
  image into;
  into.nr_blocks = static_cast<std::uint32_t>(device.nr_blocks());
  const auto map =
      pd::disk_space_map::open(device, era::decode_superblock(device.block(0)).space_map);
  for (const auto& [where, bytes] : device.written()) {
    if (where < map.nr_blocks() && map.count(where) > 0) {
      const auto number = static_cast<std::uint32_t>(where);
      into.blocks[number] = {kind_of(bytes.data(), number), bytes};
    }
  }
  return into;
}

image image_of_written(const sparse_device& device) {
  image into;
  into.nr_blocks = static_cast<std::uint32_t>(device.nr_blocks());
  for (const auto& [where, bytes] : device.written()) {
    const auto number = static_cast<std::uint32_t>(where);
    into.blocks[number] = {kind_of(bytes.data(), number), bytes};
  }
  return into;
}

}  // namespace fuzz
