#include "persistent-data/btree_editor.h"

#include <cstring>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace pd {
namespace {

// A sibling takes entries of a full node only if it has this much room.
constexpr std::uint32_t room_worth_using = 8;

// No node but the root may have fewer entries.
std::uint32_t least_entries(const node_view& node) {
  return node.max_entries() / 3;
}

[[noreturn]] void refuse(const transaction_manager& transaction, block_nr where,
                         const std::string& what) {
  refuse_damage(transaction.name(), where, "btree node: " + what);
}

void put_child(const block_ptr& parent, std::uint32_t i, block_nr child) {
  std::byte value[block_nr_size];
  base::put_le64(value, child);
  put_entry(parent->data(), i, node_view(parent->data()).key(i), value);
}

void insert_child(const block_ptr& parent, std::uint32_t i, const block_ptr& child) {
  std::byte value[block_nr_size];
  base::put_le64(value, child->where);
  insert_entry(parent->data(), i, node_view(child->data()).key(0), value);
}

void put_key(const block_ptr& node, std::uint32_t i, std::uint64_t key) {
  std::byte value[block_nr_size];
  std::memcpy(value, node_view(node->data()).value(i), sizeof value);
  put_entry(node->data(), i, key, value);
}

// Moves entries until `left` has `target`; the parent's lower bound of `right` follows.
void share_out(const block_ptr& parent, std::uint32_t left_child, const block_ptr& left,
               const block_ptr& right, std::uint32_t target) {
  const std::uint32_t has = node_view(left->data()).nr_entries();
  if (has < target) {
    move_entries_left(left->data(), right->data(), target - has);
  } else {
    move_entries_right(left->data(), right->data(), has - target);
  }
  put_key(parent, left_child + 1, node_view(right->data()).key(0));
}

// Makes one child of `left` and `right`, or leaves both with more entries than the least.
void merge_or_share_out(transaction_manager& transaction, const block_ptr& parent,
                        std::uint32_t left_child, const block_ptr& left, const block_ptr& right) {
  const std::uint32_t in_left = node_view(left->data()).nr_entries();
  const std::uint32_t in_right = node_view(right->data()).nr_entries();
  if (in_left + in_right >= 2 * (least_entries(node_view(left->data())) + 1)) {
    share_out(parent, left_child, left, right, (in_left + in_right) / 2);
    return;
  }
  move_entries_left(left->data(), right->data(), in_right);
  erase_entry(parent->data(), left_child + 1);
  transaction.drop_reference(right->where);
}

// Where the way to `key` goes on. Keys below all others belong to the first child.
std::uint32_t child_for(const block_ptr& node, std::uint64_t key) {
  return last_not_above(node_view(node->data()), key).value_or(0);
}

bool has_key(const node_view& node, std::uint64_t key) {
  const auto at = last_not_above(node, key);
  return at && node.key(*at) == key;
}

bool has_room_for(const node_view& node, std::uint64_t key) {
  return node.nr_entries() < node.max_entries() || (node.is_leaf() && has_key(node, key));
}

}  // namespace

// What stands in a node is checked once, when it comes from the device. But a damaged tree may lead
// into one whose values have another size.
void btree_editor::require_sound(cached_block& block) {
  if (block.contents_checked) {
    const node_view known(block.data());
    if (known.is_leaf() && known.value_size() != values_.size) {
      refuse(transaction_, block.where, "part of a tree with values of another size");
    }
    return;
  }
  const auto wrong = check_node(block.data(), block.where, values_.size);
  const node_view node(block.data());
  if (wrong && wrong->kind == damage_kind::node_odd_maximum) {
    refuse_damage(transaction_.name(),
                  {wrong->kind, block.where, wrong->what + ", and such a node cannot be changed"});
  }
  if (wrong) {
    refuse_damage(transaction_.name(), *wrong);
  }
  if (!node.is_leaf() && node.nr_entries() == 0) {
    refuse(transaction_, block.where, "an internal node without entries");
  }
  block.contents_checked = true;
}

block_ptr btree_editor::read_node(block_nr where) {
  block_ptr node = transaction_.read(node_block, where);
  require_sound(*node);
  return node;
}

block_ptr btree_editor::shadow_node(block_nr where) {
  read_node(where);
  const auto [node, shared] = transaction_.make_shadow(node_block, where);
  const node_view view(node->data());
  for (std::uint32_t i = 0; shared && i < view.nr_entries(); ++i) {
    if (!view.is_leaf()) {
      transaction_.add_reference(view.child(i));
    } else if (values_.add_reference != nullptr) {
      values_.add_reference(transaction_, view.value(i));
    }
  }
  return node;
}

// From the root down: a shared parent has given the child its second reference before this.
block_ptr btree_editor::shadow_child(const block_ptr& parent, std::uint32_t i) {
  block_ptr child = shadow_node(node_view(parent->data()).child(i));
  if (child == parent) {
    refuse(transaction_, child->where, "names itself as its child");
  }
  put_child(parent, i, child->where);
  return child;
}

// A child that is to exchange entries with another one of the same parent.
block_ptr btree_editor::shadow_sibling(const block_ptr& parent, std::uint32_t i,
                                       const block_ptr& beside) {
  block_ptr sibling = shadow_child(parent, i);
  if (sibling == beside) {
    refuse(transaction_, sibling->where, "named twice by one parent");
  }
  if (node_view(sibling->data()).is_leaf() != node_view(beside->data()).is_leaf()) {
    refuse(transaction_, sibling->where, "a leaf and an internal node under one parent");
  }
  return sibling;
}

block_ptr btree_editor::new_node(bool leaf) {
  block_ptr node = transaction_.create(node_block);
  init_node(node->data(), leaf, leaf ? values_.size : block_nr_size);
  return node;
}

block_nr btree_editor::make_empty() {
  return new_node(true)->where;
}

std::optional<std::vector<std::byte>> btree_editor::find(block_nr root, std::uint64_t key) {
  block_nr where = root;
  for (unsigned depth = 0; depth < max_tree_depth; ++depth) {
    const block_ptr node = read_node(where);
    const node_view view(node->data());
    const auto at = last_not_above(view, key);
    if (!at || (view.is_leaf() && view.key(*at) != key)) {
      return std::nullopt;
    }
    if (view.is_leaf()) {
      return std::vector<std::byte>(view.value(*at), view.value(*at) + view.value_size());
    }
    where = view.child(*at);
  }
  refuse(transaction_, where, "the tree is deeper than a tree can be");
}

std::optional<std::uint64_t> btree_editor::outermost_key(block_nr root, bool last) {
  block_nr where = root;
  for (unsigned depth = 0; depth < max_tree_depth; ++depth) {
    const block_ptr node = read_node(where);
    const node_view view(node->data());
    if (view.nr_entries() == 0) {
      return std::nullopt;
    }
    const std::uint32_t at = last ? view.nr_entries() - 1 : 0;
    if (view.is_leaf()) {
      return view.key(at);
    }
    where = view.child(at);
  }
  refuse(transaction_, where, "the tree is deeper than a tree can be");
}

std::optional<std::uint64_t> btree_editor::lowest_key(block_nr root) {
  return outermost_key(root, false);
}

std::optional<std::uint64_t> btree_editor::highest_key(block_nr root) {
  return outermost_key(root, true);
}

std::byte* btree_editor::find_for_update(block_nr& root, std::uint64_t key, block_ptr& leaf) {
  block_ptr node = shadow_node(root);
  root = node->where;
  for (unsigned depth = 0; depth < max_tree_depth; ++depth) {
    const node_view view(node->data());
    const auto at = last_not_above(view, key);
    if (!at || (view.is_leaf() && view.key(*at) != key)) {
      return nullptr;
    }
    if (view.is_leaf()) {
      leaf = node;
      return node->data() + (view.value(*at) - node->data());
    }
    node = shadow_child(node, *at);
  }
  refuse(transaction_, node->where, "the tree is deeper than a tree can be");
}

// ---- insertion ----

void btree_editor::insert(block_nr& root, std::uint64_t key, const std::byte* value) {
  block_ptr node = shadow_node(root);
  root = node->where;
  if (!has_room_for(node_view(node->data()), key)) {
    split_root(node);
  }
  for (unsigned depth = 0; depth < max_tree_depth; ++depth) {
    const node_view view(node->data());
    const auto at = last_not_above(view, key);
    if (view.is_leaf()) {
      if (!at || view.key(*at) != key) {
        insert_entry(node->data(), at ? *at + 1 : 0, key, value);
        return;
      }
      if (values_.drop_reference != nullptr) {
        values_.drop_reference(transaction_, view.value(*at));
      }
      put_entry(node->data(), *at, key, value);
      return;
    }
    if (!at) {
      put_key(node, 0, key);
    }
    step parent{node, at.value_or(0)};
    node = shadow_child(parent.node, parent.child);
    if (!has_room_for(node_view(node->data()), key)) {
      make_room_in(parent, node, key);
    }
  }
  refuse(transaction_, node->where, "the tree is deeper than a tree can be");
}

// The root stays where it is and becomes the parent of two halves.
void btree_editor::split_root(const block_ptr& root) {
  const node_view view(root->data());
  const bool leaf = view.is_leaf();
  const std::uint32_t half = view.nr_entries() / 2;
  const block_ptr left = new_node(leaf);
  const block_ptr right = new_node(leaf);
  move_entries_right(root->data(), right->data(), view.nr_entries() - half);
  move_entries_right(root->data(), left->data(), half);
  init_node(root->data(), false, block_nr_size);
  insert_child(root, 0, left);
  insert_child(root, 1, right);
}

// Where a full node's entries go; `node` and the step become those of the way to `key`.
void btree_editor::make_room_in(step& parent, block_ptr& node, std::uint64_t key) {
  const node_view up(parent.node->data());
  const std::uint32_t i = parent.child;
  const bool has_left = i > 0;
  const bool has_right = i + 1 < up.nr_entries();
  const bool done = (has_left && even_out(parent.node, i - 1, node)) ||
                    (has_right && even_out(parent.node, i, node));
  if (!done) {
    const bool beside_shared = (has_left && transaction_.references(up.child(i - 1)) > 1) ||
                               (has_right && transaction_.references(up.child(i + 1)) > 1);
    if (!has_left || !has_right || up.nr_entries() <= 2 || beside_shared) {
      split_in_two(parent.node, i, node);
    } else {
      split_in_three(parent.node, i, node);
    }
  }
  parent.child = child_for(parent.node, key);
  node = shadow_child(parent.node, parent.child);
}

bool btree_editor::can_take_entries(block_nr sibling) {
  if (transaction_.references(sibling) > 1) {
    return false;
  }
  const block_ptr node = read_node(sibling);
  const node_view view(node->data());
  return view.max_entries() - view.nr_entries() >= room_worth_using;
}

// Shares the entries of child `left` and the next one evenly, one of them being `node`, which is
// full. False if the other one has no room to speak of, or belongs to others as well.
bool btree_editor::even_out(const block_ptr& parent, std::uint32_t left, const block_ptr& node) {
  const node_view up(parent->data());
  const bool node_is_left = up.child(left) == node->where;
  const std::uint32_t sibling = node_is_left ? left + 1 : left;
  if (!can_take_entries(up.child(sibling))) {
    return false;
  }
  const block_ptr other = shadow_sibling(parent, sibling, node);
  const std::uint32_t sum =
      node_view(other->data()).nr_entries() + node_view(node->data()).nr_entries();
  share_out(parent, left, node_is_left ? node : other, node_is_left ? other : node, sum / 2);
  return true;
}

void btree_editor::split_in_two(const block_ptr& parent, std::uint32_t i, const block_ptr& node) {
  const node_view view(node->data());
  const block_ptr right = new_node(view.is_leaf());
  move_entries_right(node->data(), right->data(), view.nr_entries() - view.nr_entries() / 2);
  insert_child(parent, i + 1, right);
}

// `node` and its left sibling give a third of their entries each to a new node between them.
void btree_editor::split_in_three(const block_ptr& parent, std::uint32_t i, const block_ptr& node) {
  const block_ptr left = shadow_sibling(parent, i - 1, node);
  const block_ptr middle = new_node(node_view(node->data()).is_leaf());
  const std::uint32_t in_left = node_view(left->data()).nr_entries();
  const std::uint32_t in_node = node_view(node->data()).nr_entries();
  const std::uint32_t third = (in_left + in_node) / 3;
  move_entries_right(left->data(), middle->data(), in_left - third);
  const std::uint32_t last = in_left + in_node - 2 * third;
  move_entries_left(middle->data(), node->data(), in_node - last);
  put_key(parent, i, node_view(node->data()).key(0));
  insert_child(parent, i, middle);
}

// ---- removal ----

bool btree_editor::remove(block_nr& root, std::uint64_t key) {
  block_ptr node = shadow_node(root);
  root = node->where;
  for (unsigned depth = 0; depth < max_tree_depth; ++depth) {
    const node_view view(node->data());
    if (!view.is_leaf()) {
      if (!last_not_above(view, key)) {
        return false;
      }
      block_ptr child = fill_for_removal(node, key);
      if (node->where == root && view.nr_entries() == 1) {
        pull_up_only_child(node);
      } else {
        node = std::move(child);
      }
      continue;
    }
    if (!has_key(view, key)) {
      return false;
    }
    const std::uint32_t at = *last_not_above(view, key);
    if (values_.drop_reference != nullptr) {
      values_.drop_reference(transaction_, view.value(at));
    }
    erase_entry(node->data(), at);
    return true;
  }
  refuse(transaction_, node->where, "the tree is deeper than a tree can be");
}

// Puts a root's only child in the root's place. Below the root that would leave leaves at different
// depths.
void btree_editor::pull_up_only_child(const block_ptr& node) {
  const block_ptr child = shadow_child(node, 0);
  std::memcpy(node->data(), child->data(), block_size);
  transaction_.drop_reference(child->where);
}

// The child on the way to `key`, with more entries than the least, so that it can lose one; only if
// all children together do not have as many, the parent is left with one that has fewer.
block_ptr btree_editor::fill_for_removal(const block_ptr& parent, std::uint64_t key) {
  while (true) {
    const std::uint32_t i = child_for(parent, key);
    block_ptr child = shadow_child(parent, i);
    const node_view view(child->data());
    if (view.nr_entries() > least_entries(view) || node_view(parent->data()).nr_entries() == 1) {
      return child;
    }
    const block_ptr sibling = shadow_sibling(parent, i > 0 ? i - 1 : i + 1, child);
    if (i > 0) {
      merge_or_share_out(transaction_, parent, i - 1, sibling, child);
    } else {
      merge_or_share_out(transaction_, parent, i, child, sibling);
    }
  }
}

void btree_editor::destroy(block_nr root) {
  destroy_from(root, 0);
}

void btree_editor::destroy_from(block_nr where, unsigned depth) {
  const block_ptr node = read_node(where);
  if (depth == max_tree_depth) {
    refuse(transaction_, where, "the tree is deeper than a tree can be");
  }
  if (!transaction_.drop_reference(where)) {
    return;
  }
  const node_view view(node->data());
  for (std::uint32_t i = 0; i < view.nr_entries(); ++i) {
    if (!view.is_leaf()) {
      destroy_from(view.child(i), depth + 1);
    } else if (values_.drop_reference != nullptr) {
      values_.drop_reference(transaction_, view.value(i));
    }
  }
}

}  // namespace pd
