#include "persistent-data/space_map.h"

#include "base/bytes.h"

namespace pd {
namespace {

constexpr std::size_t index_header_size = 16;
constexpr std::size_t index_entry_size = 16;
constexpr std::size_t bitmap_header_size = 16;
constexpr std::size_t word_size = 8;

}  // namespace

space_map_root decode_space_map_root(const std::byte* from) {
  return {base::get_le64(from), base::get_le64(from + 8), base::get_le64(from + 16),
          base::get_le64(from + 24)};
}

void encode_space_map_root(const space_map_root& root, std::byte* to) {
  base::put_le64(to, root.nr_blocks);
  base::put_le64(to + 8, root.nr_allocated);
  base::put_le64(to + 16, root.bitmap_root);
  base::put_le64(to + 24, root.ref_count_root);
}

std::uint64_t bitmap_word(const std::byte* bitmap, std::uint32_t i) {
  return base::get_le64(bitmap + bitmap_header_size + word_size * i);
}

// The even bit is the high one.
std::uint32_t bitmap_count(const std::byte* bitmap, std::uint32_t entry) {
  const std::uint64_t word = bitmap_word(bitmap, entry / counts_per_word);
  const unsigned shift = 2 * (entry % counts_per_word);
  return static_cast<std::uint32_t>((word >> shift & 1) << 1 | (word >> (shift + 1) & 1));
}

void set_bitmap_count(std::byte* bitmap, std::uint32_t entry, std::uint32_t count) {
  std::byte* const at = bitmap + bitmap_header_size + word_size * (entry / counts_per_word);
  const unsigned shift = 2 * (entry % counts_per_word);
  const std::uint64_t bits = std::uint64_t{count >> 1} | std::uint64_t{count & 1} << 1;
  base::put_le64(at, (base::get_le64(at) & ~(std::uint64_t{3} << shift)) | bits << shift);
}

index_entry decode_index_entry(const std::byte* index, std::size_t i) {
  const std::byte* const at = index + index_header_size + index_entry_size * i;
  return {base::get_le64(at), base::get_le32(at + 8), base::get_le32(at + 12)};
}

void encode_index_entry(const index_entry& entry, std::size_t i, std::byte* index) {
  std::byte* const at = index + index_header_size + index_entry_size * i;
  base::put_le64(at, entry.bitmap);
  base::put_le32(at + 8, entry.nr_free);
  base::put_le32(at + 12, entry.none_free_before);
}

}  // namespace pd
