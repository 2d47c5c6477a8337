// Damage in metadata is data: the code that reads blocks, trees and space maps reports what is
// wrong to a sink and goes on with the rest. What each kind means to a user (severity, consequence,
// repair) is for the layer above to say. Thread safety: that of the sink.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "persistent-data/block.h"

namespace pd {

enum class damage_kind {
  // A block (doc/format.md 1).
  block_out_of_range,  // the number names no block of the device, or the superblock
  block_unreadable,    // the device reports an error
  block_checksum,
  block_number,      // it was written for another place
  block_seen_twice,  // two pointers of one tree, or of two structures, lead here

  // A btree (3).
  node_header,      // flags, value size, number or maximum of entries
  node_empty,       // no entries, but not the root of an empty tree
  node_key_order,   // keys don't ascend
  node_key_range,   // keys outside what the parent allows
  node_leaf_depth,  // leaves at different depths
  tree_too_deep,
  node_underfull,
  node_odd_maximum,  // a legal maximum of entries, but not the format's

  // An array (4).
  array_block_missing,
  array_block_header,   // value size or maximum of entries
  array_block_entries,  // not as many as its place in the array demands
  array_block_stale,    // beyond the end of the array; the kernel leaves such

  // The metadata space map (6).
  map_root,         // its size does not fit the device
  map_smaller,      // it covers less than the device
  map_index_entry,  // bytes in an entry of the index that is not used
  map_count_tree,   // bitmaps and count tree disagree
  map_nr_allocated,
  map_nr_free,
  map_none_free_before,
  map_beyond_the_end,  // counts for blocks past its end
  count_too_low,
  count_too_high,
};
inline constexpr int nr_damage_kinds = static_cast<int>(damage_kind::count_too_high) + 1;

struct damage {
  damage_kind kind;
  block_nr block;    // where; for a missing block, the one that should name it
  std::string what;  // "key 7 follows key 9"

  // What can't be known because of it: keys of a tree, or elements of an array, first_lost up to
  // but not including end_lost. Equal: nothing is lost.
  std::uint64_t first_lost = 0;
  std::uint64_t end_lost = 0;
};

// Whether references may be unknown because of it: a block could not be looked into, or is not
// named where it should be.
inline bool hides_references(damage_kind kind) {
  return kind <= damage_kind::tree_too_deep || kind == damage_kind::array_block_missing;
}

// What ends a change to metadata, which can't go on past damage. The message names file, block and
// what is wrong.
class change_refused : public base::data_error {
 public:
  explicit change_refused(const std::string& message,
                          std::optional<damage_kind> kind = std::nullopt)
      : data_error(message), kind_(kind) {}

  // Empty where only the change met it: a reader has no name for it.
  std::optional<damage_kind> kind() const { return kind_; }

 private:
  std::optional<damage_kind> kind_;
};

// Throw change_refused.
[[noreturn]] void refuse_damage(const std::string& file, block_nr block, const std::string& what);
[[noreturn]] void refuse_damage(const std::string& file, const damage& found);

class damage_sink {
 public:
  virtual ~damage_sink() = default;
  virtual void damaged(const damage& found) = 0;
};

}  // namespace pd
