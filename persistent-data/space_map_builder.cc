#include "persistent-data/space_map_builder.h"

#include <algorithm>

#include "base/bytes.h"
#include "persistent-data/btree_builder.h"

namespace pd {
namespace {

block_nr write_count_tree(bulk_writer& writer, std::span<const std::uint32_t> counts) {
  btree_builder tree(writer, large_count_size);
  for (std::size_t block = 0; block < counts.size(); ++block) {
    if (counts[block] >= 3) {
      std::byte value[large_count_size];
      base::put_le32(value, counts[block]);
      tree.add(block, value);
    }
  }
  return tree.finish();
}

}  // namespace

space_map_root write_space_map(bulk_writer& writer, std::span<const std::uint32_t> counts) {
  space_map_root root;
  root.nr_blocks = usable_blocks(writer.device());
  root.ref_count_root = write_count_tree(writer, counts);
  const block_nr nr_bitmaps = base::ceil_div(root.nr_blocks, counts_per_bitmap);
  const block_nr end = writer.next() + nr_bitmaps + 1;  // the index comes last
  const auto count_of = [&](block_nr block) {
    return block < counts.size() ? counts[block] : std::uint32_t{block < end};
  };

  block_buffer index(1);
  for (block_nr i = 0; i < nr_bitmaps; ++i) {
    block_buffer bitmap(1);
    index_entry entry;
    entry.nr_free = counts_per_bitmap;
    entry.none_free_before = counts_per_bitmap;
    for (std::uint32_t e = 0; e < counts_per_bitmap; ++e) {
      const std::uint32_t count = count_of(i * counts_per_bitmap + e);
      if (count > 0) {
        set_bitmap_count(bitmap.block(0), e, std::min(count, 3U));
        --entry.nr_free;
        ++root.nr_allocated;
      } else {
        entry.none_free_before = std::min(entry.none_free_before, e);
      }
    }
    entry.bitmap = writer.append(bitmap_block, bitmap.block(0));
    encode_index_entry(entry, i, index.block(0));
  }
  root.bitmap_root = writer.append(index_block, index.block(0));
  return root;
}

}  // namespace pd
