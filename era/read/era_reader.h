// Decides in which era a data block was last written (doc/format.md 5), for a window of blocks at a
// time: the era array's values with every writeset folded in. The one place that knows; dumps and
// lists are sinks of it.
//
// Memory is 8 bytes for each array block on the device, 20 more while all are read, and the
// caller's window; neither the number of data blocks nor that of writesets adds to it. What can't
// be read goes to the problem sink; if that doesn't throw, it is taken as written in the current
// era, which lists too much and never too little. Not thread safe; what reads everything in disk
// order has a thread of its own read ahead.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "era/format/block_range.h"
#include "era/read/metadata.h"

namespace era {

class era_reader {
 public:
  // Blocks in a window: as many as 8 full bitset blocks and 256 full era array blocks cover, so
  // that no array block belongs to two windows.
  static constexpr std::uint64_t window = 8 * pd::array_capacity(8) * pd::bits_per_word;
  static_assert(window == 256 * pd::array_capacity(4));

  // Reads the indexes of the era array and of all writesets of era `since` or later.
  era_reader(pd::walk_context& context, const metadata& read, problem_sink& sink,
             std::uint32_t since = 0);

  // Which part of a writeset that is longer than the device is read.
  enum class extent { device, whole };

  // Reads all there is, in disk order, and drops it: from then on lost_in_writesets() is complete.
  void verify(extent of_writesets, base::progress& progress);

  // Bit i of the words: block i was last written in `since` or later. For all blocks of the device;
  // the bits behind the last are 0. Reads in disk order.
  void written_since(std::span<std::uint64_t> words);

  // In what follows `first` is a multiple of `window`, and what is asked for lies below nr_blocks,
  // or, for writeset_bits, below the nr_bits of that writeset.

  // eras[i]: the last-written era of block first + i.
  void last_written(std::uint64_t first, std::span<std::uint32_t> eras);

  // The era array alone.
  void array_values(std::uint64_t first, std::span<std::uint32_t> eras);

  // The bits of writeset i of the metadata alone; those from `count` on are 0.
  void writeset_bits(std::size_t i, std::uint64_t first, std::uint64_t count,
                     std::span<std::uint64_t> words);

  // The data blocks of which some writeset's bits were found lost so far; all, if a writeset itself
  // is.
  const std::vector<block_range>& lost_in_writesets() const { return lost_in_writesets_; }

 private:
  class indexer;
  class folder;
  class era_folder;
  class bit_folder;
  class dropper;

  // Which blocks make up one array: refs_[first_ref] and the nr_refs - 1 behind it.
  struct index {
    std::uint32_t first_ref = 0;
    std::uint32_t nr_refs = 0;
  };

  // A part of an array that its index does not lead to; only known where damage is tolerated.
  struct loss {
    std::uint32_t tag;
    block_range range;
  };

  void read_writeset_indexes(pd::walk_context& context);
  void request_array(std::uint64_t first, std::uint64_t end);
  void request_writeset(std::size_t i, std::uint64_t first, std::uint64_t end);
  void request(const index& from, const pd::array_root& array, std::uint32_t tag,
               std::uint64_t first_element, std::uint64_t end_element);
  // Reads what was requested, of all arrays or of one alone.
  void fold_into(folder& into, std::optional<std::uint32_t> only_tag = std::nullopt);
  void fold_in_disk_order(folder& into, extent of_writesets);
  void fold_losses(folder& into, std::optional<std::uint32_t> only_tag);
  void report(std::uint32_t tag, const pd::damage& found);
  void note_lost(block_range lost);
  bool since_covers(std::size_t i) const { return metadata_.writesets[i].era >= since_; }

  const metadata& metadata_;
  problem_sink& sink_;
  std::uint32_t since_;
  std::vector<pd::array_block_ref> refs_;
  index array_index_;
  std::vector<index> writeset_indexes_;  // of all of metadata_.writesets; empty ones before since_
  std::vector<loss> losses_;             // in the order of tags
  std::vector<block_range> lost_in_writesets_;
  pd::block_reader& blocks_;
  pd::array_block_reader reader_;
  std::vector<pd::array_block_request> requests_;
};

}  // namespace era
