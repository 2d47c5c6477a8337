#include "persistent-data/block_reader.h"

#include <cstring>

#include "base/number.h"

namespace pd {
namespace {

std::string hex(std::uint32_t value) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) {
    text += digits[(value >> shift) & 15];
  }
  return text;
}

std::string with_article(const block_type& type) {
  const bool vowel = type.name[0] == 'a' || type.name[0] == 'e';
  return std::string(vowel ? "an " : "a ") + type.name;
}

}  // namespace

std::string describe_bad_checksum(const block_type& expected, const std::byte* block) {
  const std::uint32_t crc = body_crc(block);
  const std::uint32_t stored = stored_checksum(block);
  for (const block_type& other : {node_block, array_block, index_block, bitmap_block}) {
    if ((crc ^ stored) == other.salt) {
      return "is " + with_article(other) + ", not " + with_article(expected);
    }
  }
  return "bad checksum " + hex(stored) + ", " + with_article(expected) + " would have " +
         hex(crc ^ expected.salt);
}

std::string describe_out_of_range(const std::string& named_as, block_nr nr_blocks) {
  return "named as " + named_as + ", but the device has " +
         base::counted(nr_blocks, "metadata block") + ", the superblock being the first";
}

std::optional<damage> check_head(const block_type& type, block_nr where, const std::byte* block) {
  if (!has_sound_checksum(type, block)) {
    return damage{damage_kind::block_checksum, where, describe_bad_checksum(type, block)};
  }
  const block_nr number = stored_number(type, block);
  if (number != where) {
    return damage{
        damage_kind::block_number, where,
        "the " + std::string(type.name) + " says that it is block " + std::to_string(number)};
  }
  return std::nullopt;
}

void block_reader::read(const block_type& type, std::span<const block_nr> blocks,
                        block_buffer& buffer, std::vector<std::optional<damage>>& faults) {
  fetch(type, blocks, buffer, faults);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (!faults[i]) {
      faults[i] = check_head(type, blocks[i], buffer.block(i));
    }
  }
}

void block_reader::fetch(const block_type& type, std::span<const block_nr> blocks,
                         block_buffer& buffer, std::vector<std::optional<damage>>& faults) {
  faults.assign(blocks.size(), std::nullopt);
  requests_.clear();
  request_of_.clear();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i] == no_block || blocks[i] >= usable_) {
      faults[i] = damage{damage_kind::block_out_of_range, blocks[i],
                         describe_out_of_range(with_article(type), usable_)};
      continue;
    }
    requests_.push_back({blocks[i], buffer.block(i), 0});
    request_of_.push_back(i);
  }
  device_.read(requests_);
  blocks_read_ += requests_.size();
  for (std::size_t r = 0; r < requests_.size(); ++r) {
    const std::size_t i = request_of_[r];
    if (requests_[r].error != 0) {
      faults[i] = damage{damage_kind::block_unreadable, blocks[i],
                         std::string("cannot be read: ") + std::strerror(requests_[r].error)};
    }
  }
}

}  // namespace pd
