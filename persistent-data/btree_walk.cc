#include "persistent-data/btree_walk.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "base/number.h"

namespace pd {
namespace {

constexpr std::size_t sibling_batch = 256;

// A pointer to a node, and the keys that its parent allows there.
struct pointer {
  block_nr block;
  std::uint64_t first_key;
  std::uint64_t end_key;
};

class walker {
 public:
  walker(walk_context& context, std::uint32_t leaf_value_size, tree_visitor& visitor)
      : context_(context), leaf_value_size_(leaf_value_size), visitor_(visitor) {}

  // Many roots are read as one batch, but walked one after the other.
  void walk_roots(std::span<const block_nr> roots, std::size_t first_index, bool announce) {
    std::vector<pointer> pointers;
    for (const block_nr root : roots) {
      pointers.push_back({root, 0, UINT64_MAX});
    }
    siblings level(context_, pointers);
    for (std::size_t i = 0; i < pointers.size(); ++i) {
      leaf_depth_ = 0;
      if (announce) {
        visitor_.begin_tree(first_index + i);
      }
      visit(pointers[i], level, i, 1);
      if (announce) {
        visitor_.end_tree(first_index + i);
      }
    }
  }

 private:
  // The blocks of some nodes with a common parent. What was met before is damage, however it reads,
  // and is not read again: many pointers to one block cost no more than one.
  struct siblings {
    siblings(walk_context& context, std::span<const pointer> pointers) {
      std::vector<block_nr> blocks;
      std::unordered_set<block_nr> here;
      for (const pointer& to : pointers) {
        place.push_back(blocks.size());
        const bool met = to.block < context.reader.usable() && context.seen.contains(to.block);
        if (!met && here.insert(to.block).second) {
          blocks.push_back(to.block);
        }
      }
      buffer = block_buffer(blocks.size());
      context.reader.read(node_block, blocks, buffer, faults);
    }

    std::vector<std::size_t> place;  // of a pointer's block in the buffer, if it was not met
    block_buffer buffer{0};
    std::vector<std::optional<damage>> faults;  // by place
  };

  void lose(const pointer& to, damage found) {
    found.first_lost = to.first_key;
    found.end_lost = to.end_key;
    visitor_.damaged(found);
  }

  void lose(const pointer& to, damage_kind kind, const std::string& what) {
    lose(to, damage{kind, to.block, what});
  }

  bool on_device(block_nr block) const {
    return block != no_block && block < context_.reader.usable();
  }

  void visit(const pointer& to, const siblings& level, std::size_t i, unsigned depth) {
    if (!on_device(to.block)) {
      lose(to, damage_kind::block_out_of_range,
           describe_out_of_range("a btree node", context_.reader.usable()));
      return;
    }
    if (!context_.seen.insert(to.block)) {
      lose(to, damage_kind::block_seen_twice, "btree node: another pointer leads here as well");
      return;
    }
    const std::optional<damage>& fault = level.faults[level.place[i]];
    if (fault) {
      lose(to, *fault);
      return;
    }
    const std::byte* const block = level.buffer.block(level.place[i]);
    if (const auto found = check_node(block, to.block, leaf_value_size_)) {
      if (found->kind != damage_kind::node_odd_maximum) {
        lose(to, *found);
        return;
      }
      visitor_.damaged(*found);
    }
    if (fits_parent(to, node_view(block), depth)) {
      enter(to, node_view(block), depth);
    }
  }

  bool fits_parent(const pointer& to, const node_view& node, unsigned depth) {
    const std::uint32_t n = node.nr_entries();
    const bool is_root = depth == 1;
    if (n == 0 && !(is_root && node.is_leaf())) {
      lose(to, damage_kind::node_empty, "btree node: no entries");
      return false;
    }
    if (n > 0 && (node.key(0) < to.first_key || node.key(n - 1) >= to.end_key)) {
      lose(to, damage_kind::node_key_range,
           "btree node: keys " + std::to_string(node.key(0)) + " to " +
               std::to_string(node.key(n - 1)) + ", but its parent allows " +
               std::to_string(to.first_key) + " to " + std::to_string(to.end_key - 1));
      return false;
    }
    if (depth == max_tree_depth && !node.is_leaf()) {
      lose(to, damage_kind::tree_too_deep,
           "btree node: the tree goes on below level " + std::to_string(max_tree_depth));
      return false;
    }
    if (node.is_leaf()) {
      if (leaf_depth_ != 0 && leaf_depth_ != depth) {
        lose(to, damage_kind::node_leaf_depth,
             "btree node: a leaf at level " + std::to_string(depth) + " of a tree with leaves at " +
                 std::to_string(leaf_depth_));
        return false;
      }
      leaf_depth_ = depth;
    }
    if (!is_root && n < node.max_entries() / 3) {
      visitor_.damaged({damage_kind::node_underfull, to.block,
                        "btree node: " + std::to_string(n) + " entries, where at least " +
                            std::to_string(node.max_entries() / 3) + " are usual"});
    }
    return true;
  }

  void enter(const pointer& to, const node_view& node, unsigned depth) {
    const bool first_visit = context_.counts != nullptr && context_.counts->first_visit(to.block);
    if (node.is_leaf()) {
      visitor_.leaf(to.block, node, first_visit);
      return;
    }
    std::vector<pointer> children;
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      const bool last = i + 1 == node.nr_entries();
      children.push_back({node.child(i), node.key(i), last ? to.end_key : node.key(i + 1)});
      if (first_visit) {
        context_.counts->add(node.child(i));
      }
    }
    const siblings level(context_, children);
    for (std::size_t i = 0; i < children.size(); ++i) {
      visit(children[i], level, i, depth + 1);
      i += lose_the_like(children, i);
    }
  }

  // The pointers after child i that lead to the same block are lost for the same reason: one report
  // for all of them. Returns how many.
  std::size_t lose_the_like(const std::vector<pointer>& children, std::size_t i) {
    std::size_t end = i + 1;
    while (end < children.size() && children[end].block == children[i].block) {
      ++end;
    }
    const std::size_t more = end - i - 1;
    if (more > 0) {
      const pointer all{children[i].block, children[i + 1].first_key, children[end - 1].end_key};
      if (on_device(all.block)) {
        lose(all, damage_kind::block_seen_twice,
             "btree node: " + base::counted(more, "more pointer") + " of the same parent " +
                 (more == 1 ? "leads" : "lead") + " here");
      } else {
        lose(all, damage_kind::block_out_of_range,
             describe_out_of_range("a btree node", context_.reader.usable()) + "; " +
                 base::counted(more, "more pointer") + " of the same parent");
      }
    }
    return more;
  }

  walk_context& context_;
  std::uint32_t leaf_value_size_;
  tree_visitor& visitor_;
  unsigned leaf_depth_ = 0;  // of the present tree; 0: no leaf met yet
};

}  // namespace

void walk_btrees(walk_context& context, std::span<const block_nr> roots,
                 std::uint32_t leaf_value_size, tree_visitor& visitor) {
  walker walk(context, leaf_value_size, visitor);
  for (std::size_t first = 0; first < roots.size(); first += sibling_batch) {
    walk.walk_roots(roots.subspan(first, std::min(sibling_batch, roots.size() - first)), first,
                    true);
  }
}

void walk_btree(walk_context& context, block_nr root, std::uint32_t leaf_value_size,
                tree_visitor& visitor) {
  walker(context, leaf_value_size, visitor).walk_roots({&root, 1}, 0, false);
}

}  // namespace pd
