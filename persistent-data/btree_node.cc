#include "persistent-data/btree_node.h"

#include <cstring>
#include <string>

namespace pd {
namespace {

constexpr std::uint32_t internal_flag = 1;
constexpr std::uint32_t leaf_flag = 2;

std::string check_header(const node_view& node, std::uint32_t leaf_value_size) {
  if (node.flags() != internal_flag && node.flags() != leaf_flag) {
    return "flags are " + std::to_string(node.flags()) + ", not 1 (internal) or 2 (leaf)";
  }
  const std::uint32_t value_size = node.is_leaf() ? leaf_value_size : block_nr_size;
  if (node.value_size() != value_size) {
    return "value size is " + std::to_string(node.value_size()) + ", not " +
           std::to_string(value_size);
  }
  const std::uint64_t max = node.max_entries();
  if (max % 3 != 0 || node_header_size + max * (key_size + value_size) > block_size) {
    return "impossible maximum of " + std::to_string(max) + " entries";
  }
  if (node.nr_entries() > max) {
    return "holds " + std::to_string(node.nr_entries()) + " entries of at most " +
           std::to_string(max);
  }
  return "";
}

// Copies entries between nodes, or within one, whose maximum of entries is the same.
void copy_entries(const std::byte* from, std::uint32_t first, std::byte* to, std::uint32_t at,
                  std::uint32_t count) {
  const node_view source(from);
  const node_view target(to);
  std::memmove(to + node_header_size + key_size * std::size_t{at},
               from + node_header_size + key_size * std::size_t{first},
               key_size * std::size_t{count});
  std::memmove(to + (target.value(at) - to), source.value(first),
               std::size_t{source.value_size()} * count);
}

}  // namespace

std::optional<damage> check_node(const std::byte* block, block_nr where,
                                 std::uint32_t leaf_value_size) {
  const node_view node(block);
  if (std::string what = check_header(node, leaf_value_size); !what.empty()) {
    return damage{damage_kind::node_header, where, "btree node: " + what};
  }
  for (std::uint32_t i = 1; i < node.nr_entries(); ++i) {
    if (node.key(i) <= node.key(i - 1)) {
      return damage{damage_kind::node_key_order, where,
                    "btree node: key " + std::to_string(node.key(i)) + " follows key " +
                        std::to_string(node.key(i - 1))};
    }
  }
  if (node.max_entries() != node_capacity(node.value_size())) {
    return damage{damage_kind::node_odd_maximum, where,
                  "btree node: room for " + std::to_string(node.max_entries()) +
                      " entries, where " + std::to_string(node_capacity(node.value_size())) +
                      " are usual"};
  }
  return std::nullopt;
}

void init_node(std::byte* block, bool leaf, std::uint32_t value_size) {
  base::put_le32(block + 4, leaf ? leaf_flag : internal_flag);
  base::put_le32(block + 16, 0);
  base::put_le32(block + 20, node_capacity(value_size));
  base::put_le32(block + 24, value_size);
}

void put_entry(std::byte* block, std::uint32_t i, std::uint64_t key, const std::byte* value) {
  const node_view node(block);
  base::put_le64(block + node_header_size + key_size * std::size_t{i}, key);
  std::memcpy(block + (node.value(i) - block), value, node.value_size());
}

void put_nr_entries(std::byte* block, std::uint32_t nr_entries) {
  base::put_le32(block + 16, nr_entries);
}

void insert_entry(std::byte* block, std::uint32_t i, std::uint64_t key, const std::byte* value) {
  const std::uint32_t entries = node_view(block).nr_entries();
  copy_entries(block, i, block, i + 1, entries - i);
  put_entry(block, i, key, value);
  put_nr_entries(block, entries + 1);
}

void erase_entry(std::byte* block, std::uint32_t i) {
  const std::uint32_t entries = node_view(block).nr_entries();
  copy_entries(block, i + 1, block, i, entries - i - 1);
  put_nr_entries(block, entries - 1);
}

void move_entries_right(std::byte* left, std::byte* right, std::uint32_t count) {
  const std::uint32_t from = node_view(left).nr_entries();
  const std::uint32_t to = node_view(right).nr_entries();
  copy_entries(right, 0, right, count, to);
  copy_entries(left, from - count, right, 0, count);
  put_nr_entries(left, from - count);
  put_nr_entries(right, to + count);
}

void move_entries_left(std::byte* left, std::byte* right, std::uint32_t count) {
  const std::uint32_t to = node_view(left).nr_entries();
  const std::uint32_t from = node_view(right).nr_entries();
  copy_entries(right, 0, left, to, count);
  copy_entries(right, count, right, 0, from - count);
  put_nr_entries(left, to + count);
  put_nr_entries(right, from - count);
}

std::optional<std::uint32_t> last_not_above(const node_view& node, std::uint64_t key) {
  std::uint32_t below = 0;
  std::uint32_t end = node.nr_entries();
  while (below < end) {
    const std::uint32_t middle = below + (end - below) / 2;
    if (node.key(middle) <= key) {
      below = middle + 1;
    } else {
      end = middle;
    }
  }
  return below == 0 ? std::nullopt : std::optional(below - 1);
}

}  // namespace pd
