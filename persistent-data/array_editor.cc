#include "persistent-data/array_editor.h"

#include <cstring>
#include <stdexcept>
#include <string>

#include "base/bytes.h"

namespace pd {
namespace {

void add_block_reference(transaction_manager& transaction, const std::byte* value) {
  transaction.add_reference(base::get_le64(value));
}

void drop_block_reference(transaction_manager& transaction, const std::byte* value) {
  transaction.drop_reference(base::get_le64(value));
}

// The leaves name array blocks, which name nothing.
constexpr btree_values array_blocks{block_nr_size, add_block_reference, drop_block_reference};

}  // namespace

array_editor::array_editor(transaction_manager& transaction, const array_root& array)
    : transaction_(transaction), tree_(transaction, array_blocks), array_(array) {}

array_editor array_editor::make_empty(transaction_manager& transaction, std::uint32_t value_size) {
  array_editor made(transaction, array_root(no_block, {value_size, 0}));
  made.array_.root = made.tree_.make_empty();
  return made;
}

void array_editor::require_below_end(std::uint64_t i) const {
  if (i >= array_.nr_elements) {
    throw std::out_of_range("element " + std::to_string(i) + " of an array of " +
                            std::to_string(array_.nr_elements));
  }
}

void array_editor::require_sound(cached_block& block, std::uint64_t key) {
  if (const auto wrong =
          check_array_block(block.data(), block.where, array_.value_size, array_.entries(key))) {
    refuse_damage(transaction_.name(), *wrong);
  }
}

block_ptr array_editor::read_block(std::uint64_t key) {
  const auto value = tree_.find(array_.root, key);
  if (!value) {
    refuse_damage(transaction_.name(), array_.root,
                  "the tree has no array block " + std::to_string(key));
  }
  block_ptr block = transaction_.read(array_block, base::get_le64(value->data()));
  require_sound(*block, key);
  return block;
}

block_ptr array_editor::shadow_block(std::uint64_t key) {
  block_ptr leaf;
  std::byte* const value = tree_.find_for_update(array_.root, key, leaf);
  if (value == nullptr) {
    refuse_damage(transaction_.name(), array_.root,
                  "the tree has no array block " + std::to_string(key));
  }
  const auto [block, shared] = transaction_.make_shadow(array_block, base::get_le64(value));
  require_sound(*block, key);
  base::put_le64(value, block->where);
  return block;
}

std::byte* array_editor::element(const block_ptr& block, std::uint64_t i) const {
  return block->data() + array_header_size +
         array_.value_size * (i % array_capacity(array_.value_size));
}

std::uint64_t array_editor::get(std::uint64_t i) {
  require_below_end(i);
  const block_ptr block = read_block(i / array_capacity(array_.value_size));
  const std::byte* const from = element(block, i);
  return array_.value_size == sizeof(std::uint32_t) ? base::get_le32(from) : base::get_le64(from);
}

void array_editor::set(std::uint64_t i, std::uint64_t value) {
  require_below_end(i);
  const block_ptr block = shadow_block(i / array_capacity(array_.value_size));
  std::byte* const to = element(block, i);
  if (array_.value_size == sizeof(std::uint32_t)) {
    base::put_le32(to, static_cast<std::uint32_t>(value));
  } else {
    base::put_le64(to, value);
  }
}

void array_editor::resize(std::uint64_t nr_elements) {
  // The kernel may have left stale blocks past the end; they must not come to life.
  remove_blocks_from(array_.nr_array_blocks());
  if (nr_elements < array_.nr_elements) {
    shrink(nr_elements);
  } else if (nr_elements > array_.nr_elements) {
    grow(nr_elements);
  }
}

void array_editor::remove_blocks_from(std::uint64_t key) {
  for (auto last = tree_.highest_key(array_.root); last && *last >= key;
       last = tree_.highest_key(array_.root)) {
    if (!tree_.remove(array_.root, *last)) {
      refuse_damage(transaction_.name(), array_.root,
                    "a search does not find array block " + std::to_string(*last));
    }
  }
}

void array_editor::shrink(std::uint64_t nr_elements) {
  array_root shrunk = array_;
  shrunk.nr_elements = nr_elements;
  const std::uint64_t nr_blocks = shrunk.nr_array_blocks();
  remove_blocks_from(nr_blocks);
  if (nr_blocks > 0 && shrunk.entries(nr_blocks - 1) != array_.entries(nr_blocks - 1)) {
    const block_ptr last = shadow_block(nr_blocks - 1);
    put_array_entries(last->data(), shrunk.entries(nr_blocks - 1));
  }
  array_.nr_elements = nr_elements;
}

void array_editor::grow(std::uint64_t nr_elements) {
  array_root grown = array_;
  grown.nr_elements = nr_elements;
  const std::uint64_t nr_blocks = array_.nr_array_blocks();
  if (nr_blocks > 0 && grown.entries(nr_blocks - 1) != array_.entries(nr_blocks - 1)) {
    const std::uint64_t before = array_.entries(nr_blocks - 1);
    const std::uint64_t after = grown.entries(nr_blocks - 1);
    const block_ptr last = shadow_block(nr_blocks - 1);
    std::memset(element(last, before), 0, (after - before) * array_.value_size);
    put_array_entries(last->data(), grown.entries(nr_blocks - 1));
  }
  array_.nr_elements = nr_elements;
  for (std::uint64_t key = nr_blocks; key < grown.nr_array_blocks(); ++key) {
    append_block(key);
  }
}

void array_editor::append_block(std::uint64_t key) {
  const block_ptr block = transaction_.create(array_block);
  init_array_block(block->data(), array_.value_size, array_.entries(key));
  std::byte value[block_nr_size];
  base::put_le64(value, block->where);
  tree_.insert(array_.root, key, value);
}

void array_editor::destroy() {
  tree_.destroy(array_.root);
}

}  // namespace pd
