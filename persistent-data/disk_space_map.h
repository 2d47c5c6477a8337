// The space map of metadata that is being changed (doc/format.md 6 and 9): reference counts in
// core, two bits a block as the bitmaps have them, and a table beside it for the few that are
// larger. Two maps in fact, that of the last commit and the present one: a block can be had only if
// it is free in both, so that nothing the last commit needs is overwritten before the next.
//
// The map's own blocks are counted in it like all others. A commit moves every bitmap that changed
// and the index to new blocks, which changes bitmaps again, until nothing moves any more: what is
// written counts itself exactly. Since the numbers are given out in core, before the bitmaps are
// written, there is no recursion in it. The tree of large counts, which is empty as a rule, is
// written anew whenever one of them changed.
//
// Memory: at most 255 bitmaps, twice, 2 MiB. Not thread safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "persistent-data/block_device.h"
#include "persistent-data/space_map.h"

namespace pd {

// No block is free.
class out_of_space : public base::io_error {
 public:
  using io_error::io_error;
};

class disk_space_map {
 public:
  // A map of the whole device on which only block 0 is in use, the superblock.
  static disk_space_map format(const block_device& device);

  // Reads the map that `root` names; throws base::data_error if it is damaged.
  static disk_space_map open(block_device& device, const space_map_root& root);

  // Metadata blocks covered, and those with a count above 0 as of now.
  block_nr nr_blocks() const { return root_.nr_blocks; }
  block_nr nr_allocated() const { return root_.nr_allocated; }

  // The references to a block; throws base::data_error if the map does not cover it.
  std::uint32_t count(block_nr block) const;

  // True for a block that was allocated since the last commit: nothing on disk refers to it.
  bool is_new(block_nr block) const;

  // Gives a free block the count 1. Throws out_of_space if there is none.
  block_nr allocate();

  void increment(block_nr block);

  // True if nothing refers to the block any more. Throws base::data_error if nothing did before.
  bool decrement(block_nr block);

  // Gives the map's changed blocks new places and writes them. What it returns belongs in the
  // superblock. Between this and committed() nothing else may change.
  space_map_root write(block_device& device);

  // The superblock with the new map is on disk.
  void committed();

 private:
  disk_space_map(std::string name, const space_map_root& root);

  void read(block_device& device);
  void read_large_counts(block_device& device);
  void require_covered(block_nr block) const;
  void set_count(block_nr block, std::uint32_t count);
  std::uint32_t small_count(const block_buffer& bitmaps, block_nr block) const;
  block_nr find_free(block_nr from, block_nr end) const;
  [[noreturn]] void refuse_allocation() const;
  void write_large_counts(block_device& device);
  void move_changed_blocks();
  index_entry entry_for(std::size_t i) const;

  std::string name_;
  space_map_root root_;
  std::vector<block_nr> places_;  // of the bitmaps; 0: not on disk yet
  block_buffer bitmaps_;          // as of now
  block_buffer committed_;        // as of the last commit
  std::vector<bool> changed_;     // bitmaps, since the last commit
  std::map<block_nr, std::uint32_t> large_;
  std::vector<block_nr> large_nodes_;  // of the tree that holds them
  bool large_changed_ = false;         // since it was written
  block_nr next_ = 0;                  // where the search for a free block goes on
};

}  // namespace pd
