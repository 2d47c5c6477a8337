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
  static constexpr std::uint64_t window = 8 * pd::array_capacity(pd::word_size) * pd::bits_per_word;
  static_assert(window == 256 * eras_in_a_block);

  // Reads nothing yet: the indexes of arrays are read when something is asked that needs them, each
  // once. Both must stay.
  era_reader(metadata& of, problem_sink& sink);

  // Which part of a writeset that is longer than the device is read.
  enum class extent { device, whole };

  // Reads all there is, in disk order, and drops it: from then on all that can be known of losses
  // and of the array's eras is known.
  void verify(extent of_writesets, base::progress& progress);

  // Bit i of the words: block i was last written in `since` or later. For all blocks of the device;
  // the bits from nr_blocks on are 0. Reads the era array and the writesets from `since` on, in
  // disk order.
  void written_since(std::uint32_t since, std::span<std::uint64_t> words, base::progress& progress);

  // From now on last_written() takes each era up to this one as the current era, which was raised
  // above it: the counter may have come to its end and begun again.
  void distrust_up_to(std::uint32_t era) { distrusted_ = era; }

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

  // The data blocks whose eras in the era array were found lost so far.
  const std::vector<block_range>& lost_in_era_array() const { return lost_in_era_array_; }

  // How many data blocks are in either; those beyond the device do not count.
  std::uint64_t nr_lost() const;

  // Whether something of writeset i was found lost so far.
  bool is_damaged(std::size_t i) const { return damaged_[i]; }

  // The latest era met in the array so far, if that is later than the oldest archived one or than
  // the current one.
  std::uint32_t latest_in_era_array() const { return latest_in_era_array_; }

 private:
  class index_collector;
  class window_filler;
  class era_filler;
  class bit_filler;
  class loss_finder;

  // Which blocks make up one array: refs_[first_ref] and the nr_refs - 1 after it.
  struct index {
    std::uint32_t first_ref = 0;
    std::uint32_t nr_refs = 0;
  };

  // A part of an array that its index does not lead to; only known where damage is tolerated.
  struct loss {
    std::uint32_t array;
    block_range range;
  };

  // Arrays by their numbers in the metadata.
  void need_era_array();
  void need_writesets(std::size_t from);
  std::size_t first_writeset_since(std::uint32_t since) const;
  void request(std::size_t array, std::uint64_t first, std::uint64_t end);
  // Reads what was requested of the arrays from first_array up to end_array.
  void fill(window_filler& into, std::size_t first_array, std::size_t end_array);
  void fill_in_disk_order(window_filler& into, std::size_t first_writeset, extent of_writesets,
                          base::progress& progress);
  void fill_losses(window_filler& into, std::size_t first_array, std::size_t end_array);
  void note_lost(std::size_t array, block_range lost);
  void note_eras(const pd::array_block_request& request, const std::byte* values);

  // The data blocks that one element of an array covers.
  std::uint64_t blocks_of_element(std::size_t array) const {
    return metadata_.is_era_array(array) ? 1 : pd::bits_per_word;
  }

  metadata& metadata_;
  problem_sink& sink_;
  std::vector<pd::array_block_ref> refs_;
  std::vector<index> indexes_;  // of all arrays; empty ones where they were not needed yet
  bool has_era_array_ = false;  // its index was read
  std::size_t first_writeset_;  // the indexes of this one and all after it were read
  std::vector<loss> losses_;
  std::vector<block_range> lost_in_writesets_;
  std::vector<block_range> lost_in_era_array_;
  std::vector<bool> damaged_;         // by array
  std::uint32_t usual_in_era_array_;  // sound metadata has no later era there
  std::uint32_t latest_in_era_array_ = 0;
  std::optional<std::uint32_t> distrusted_;
  pd::array_block_reader reader_;
  std::vector<pd::array_block_request> requests_;
};

}  // namespace era
