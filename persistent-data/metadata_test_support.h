// What tests of blocks, trees and arrays have in common: devices in memory that are damaged by
// hand, sinks that remember, trees of known contents. Not thread safe.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "persistent-data/array.h"
#include "persistent-data/btree_builder.h"
#include "persistent-data/btree_walk.h"
#include "persistent-data/memory_device.h"

namespace pd::test {

// Changes a block by hand and seals it again, so that only the change itself is wrong.
template <typename Change>
void change_block(memory_device& device, const block_type& type, block_nr where, Change change) {
  change(device.block(where));
  seal_block(type, where, device.block(where));
}

// Makes the checksum of a block wrong.
inline void spoil(memory_device& device, block_nr where) {
  device.block(where)[2000] ^= std::byte{0x10};
}

inline std::string text_of(const damage& d) {
  return "kind " + std::to_string(static_cast<int>(d.kind)) + ", block " + std::to_string(d.block) +
         ", lost " + std::to_string(d.first_lost) + " to " + std::to_string(d.end_lost) + ": " +
         d.what;
}

inline std::string text_of(const std::vector<damage>& all) {
  std::string text;
  for (const damage& d : all) {
    text += text_of(d) + "\n";
  }
  return text;
}

inline bool loses(const damage& d) {
  return d.first_lost < d.end_lost;
}

class damage_recorder final : public damage_sink {
 public:
  void damaged(const damage& d) override { found.push_back(d); }
  std::vector<damage> found;
};

// A value that says its key.
inline std::vector<std::byte> value_for(std::uint64_t key, std::uint32_t size) {
  std::vector<std::byte> value(size);
  for (std::uint32_t i = 0; i < size; ++i) {
    value[i] = static_cast<std::byte>(key * 31 + i * 7 + (key >> 8));
  }
  return value;
}

inline block_nr build_tree(bulk_writer& writer, const std::vector<std::uint64_t>& keys,
                           std::uint32_t value_size) {
  btree_builder builder(writer, value_size);
  for (const std::uint64_t key : keys) {
    builder.add(key, value_for(key, value_size).data());
  }
  return builder.finish();
}

// Keys 0, step, 2 * step ...
inline std::vector<std::uint64_t> spaced_keys(std::uint64_t count, std::uint64_t step) {
  std::vector<std::uint64_t> keys(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    keys[i] = i * step;
  }
  return keys;
}

// Remembers what a walk hands over, and holds it against the promised order.
class tree_recorder final : public tree_visitor {
 public:
  explicit tree_recorder(std::uint32_t value_size) : value_size_(value_size) {}

  void begin_tree(std::size_t i) override {
    begun.push_back(i);
    at_ = 0;
  }
  void end_tree(std::size_t i) override { ended.push_back(i); }

  void leaf(block_nr where, const node_view& node, bool first) override {
    leaves.push_back(where);
    first_visits += first;
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      EXPECT_GE(node.key(i), at_) << "a key below what came before it";
      at_ = node.key(i) + 1;
      keys.push_back(node.key(i));
      values_right =
          values_right &&
          std::memcmp(node.value(i), value_for(node.key(i), value_size_).data(), value_size_) == 0;
    }
  }

  void damaged(const damage& d) override {
    found.push_back(d);
    if (loses(d)) {
      EXPECT_GE(d.first_lost, at_) << "a loss below what came before it: " << text_of(d);
      at_ = d.end_lost;
    }
  }

  std::vector<damage> losses() const {
    std::vector<damage> all;
    std::copy_if(found.begin(), found.end(), std::back_inserter(all), loses);
    return all;
  }

  std::vector<std::size_t> begun;
  std::vector<std::size_t> ended;
  std::vector<block_nr> leaves;
  std::vector<std::uint64_t> keys;
  std::vector<damage> found;
  bool values_right = true;
  unsigned first_visits = 0;

 private:
  std::uint32_t value_size_;
  std::uint64_t at_ = 0;  // all below has been handed over or reported
};

inline tree_recorder walk(block_device& device, block_nr root, std::uint32_t value_size) {
  block_reader reader(device);
  walk_context context(reader);
  tree_recorder recorder(value_size);
  walk_btree(context, root, value_size, recorder);
  return recorder;
}

// The keys of `all` that lie in no lost range.
inline std::vector<std::uint64_t> without_losses(const std::vector<std::uint64_t>& all,
                                                 const std::vector<damage>& losses) {
  std::vector<std::uint64_t> kept;
  for (const std::uint64_t key : all) {
    if (std::none_of(losses.begin(), losses.end(),
                     [&](const damage& d) { return d.first_lost <= key && key < d.end_lost; })) {
      kept.push_back(key);
    }
  }
  return kept;
}

// Writes a node by hand.
struct node_entry {
  std::uint64_t key;
  block_nr child;
};

inline void put_internal(memory_device& device, block_nr where,
                         const std::vector<node_entry>& entries) {
  std::byte* const block = device.block(where);
  std::memset(block, 0, block_size);
  init_node(block, false, 8);
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    std::byte value[8];
    base::put_le64(value, entries[i].child);
    put_entry(block, i, entries[i].key, value);
  }
  put_nr_entries(block, static_cast<std::uint32_t>(entries.size()));
  seal_block(node_block, where, block);
}

inline void put_leaf(memory_device& device, block_nr where, std::uint32_t value_size,
                     const std::vector<std::uint64_t>& keys) {
  std::byte* const block = device.block(where);
  std::memset(block, 0, block_size);
  init_node(block, true, value_size);
  for (std::uint32_t i = 0; i < keys.size(); ++i) {
    put_entry(block, i, keys[i], value_for(keys[i], value_size).data());
  }
  put_nr_entries(block, static_cast<std::uint32_t>(keys.size()));
  seal_block(node_block, where, block);
}

// A child pointer of a node whose values are block numbers.
inline void set_child(memory_device& device, block_nr node, std::uint32_t i, block_nr child) {
  change_block(device, node_block, node, [&](std::byte* block) {
    base::put_le64(block + (node_view(block).value(i) - block), child);
  });
}

inline void set_key(memory_device& device, block_nr node, std::uint32_t i, std::uint64_t key) {
  change_block(device, node_block, node, [&](std::byte* block) {
    base::put_le64(block + node_header_size + 8 * std::size_t{i}, key);
  });
}

inline block_nr child_of(const memory_device& device, block_nr node, std::uint32_t i) {
  return node_view(device.block(node)).child(i);
}

}  // namespace pd::test
