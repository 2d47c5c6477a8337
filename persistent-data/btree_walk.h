// Walks btrees from the root down, every node once, and hands the leaves over in key order
// (doc/format.md 3).
//
// The children of a node are read as one sorted batch before the walk goes down into the first of
// them, so memory is bounded by the depth and bad metadata costs no more than good: a node that was
// seen before is damage, and is not entered again. Not thread safe.
#pragma once

#include <span>

#include "persistent-data/block_reader.h"
#include "persistent-data/block_set.h"
#include "persistent-data/btree_node.h"
#include "persistent-data/reference_counts.h"

namespace pd {

// What the walks over one state of the metadata have in common.
struct walk_context {
  block_reader& reader;
  block_set seen;                      // blocks met so far; a second meeting is damage
  reference_counts* counts = nullptr;  // if set, every pointer met is counted

  explicit walk_context(block_reader& blocks) : reader(blocks), seen(blocks.usable()) {}
};

// Damage comes with the keys that are lost, in the same order as the leaves: what is reported lies
// after all leaves handed over before it and before all that follow.
class tree_visitor : public damage_sink {
 public:
  // The walk of the tree with the i-th root begins or has ended.
  virtual void begin_tree(std::size_t /*i*/) {}
  virtual void end_tree(std::size_t /*i*/) {}

  // A leaf that was found good. `first_visit` is true if the references in its values are still to
  // be counted: with counts, and unless another state of the metadata shares it.
  virtual void leaf(block_nr where, const node_view& node, bool first_visit) = 0;
};

// Walks the trees with these roots, one after the other. A root of 0 is damage.
void walk_btrees(walk_context& context, std::span<const block_nr> roots,
                 std::uint32_t leaf_value_size, tree_visitor& visitor);

// One tree; the visitor hears of neither begin nor end.
void walk_btree(walk_context& context, block_nr root, std::uint32_t leaf_value_size,
                tree_visitor& visitor);

}  // namespace pd
