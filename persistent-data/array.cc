#include "persistent-data/array.h"

#include <algorithm>
#include <string>

#include "base/conveyor.h"

namespace pd {
namespace {

// Turns the leaves of array trees into array blocks, and lost keys into lost elements.
class index_reader final : public tree_visitor {
 public:
  index_reader(walk_context& context, std::span<const array_root> arrays, index_visitor& visitor)
      : context_(context), arrays_(arrays), visitor_(visitor) {}

  void begin_tree(std::size_t i) override {
    array_ = arrays_[i];
    next_key_ = 0;
    last_node_ = array_.root;
    visitor_.begin_array(i);
  }

  void end_tree(std::size_t) override { expect_key(array_.nr_array_blocks()); }

  void leaf(block_nr where, const node_view& node, bool first_visit) override {
    last_node_ = where;
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      if (first_visit) {
        context_.counts->add(node.child(i));
      }
      if (const std::uint32_t more = repeated(node, i)) {
        count_pointers(node, i + 1, more - 1, first_visit);
        lose_repeated(node.key(i), node.key(i + more - 1), node.child(i));
        i += more - 1;
      } else {
        entry(node.key(i), node.child(i));
      }
    }
  }

  void damaged(const damage& found) override {
    if (found.first_lost == found.end_lost) {
      visitor_.damaged(found);
      return;
    }
    expect_key(std::min(found.first_lost, array_.nr_array_blocks()));
    report_lost(found, found.first_lost, found.end_lost);
    next_key_ = std::max(next_key_, std::min(found.end_lost, array_.nr_array_blocks()));
  }

 private:
  // How many entries from `i` on, with keys one after the other, lead where the one before them
  // does: one report is enough for all of them. 0 if fewer than two.
  std::uint32_t repeated(const node_view& node, std::uint32_t i) const {
    std::uint32_t end = i;
    while (i > 0 && end < node.nr_entries() && node.child(end) == node.child(i - 1) &&
           node.key(end) == node.key(end - 1) + 1 && node.key(end) < array_.nr_array_blocks()) {
      ++end;
    }
    const block_nr block = node.child(i);
    const bool on_device = block != no_block && block < context_.reader.usable();
    return on_device && end - i > 1 ? end - i : 0;
  }

  void count_pointers(const node_view& node, std::uint32_t first, std::uint32_t count,
                      bool first_visit) {
    for (std::uint32_t i = first; first_visit && i < first + count; ++i) {
      context_.counts->add(node.child(i));
    }
  }

  void lose_repeated(std::uint64_t first, std::uint64_t last, block_nr block) {
    expect_key(first);
    report_lost({damage_kind::block_seen_twice, block,
                 "array blocks " + std::to_string(first) + " to " + std::to_string(last) +
                     ": another pointer leads here as well"},
                first, last + 1);
    next_key_ = last + 1;
  }

  void entry(std::uint64_t key, block_nr block) {
    const bool stale = key >= array_.nr_array_blocks();
    if (block == no_block || block >= context_.reader.usable()) {
      const damage found{
          damage_kind::block_out_of_range, block,
          describe_out_of_range("array block " + std::to_string(key), context_.reader.usable())};
      if (stale) {
        visitor_.damaged(found);  // who changes the tree meets it, though no reader does
        return;
      }
      expect_key(key);
      next_key_ = key + 1;
      report_lost(found, key, key + 1);
      return;
    }
    if (stale) {
      visitor_.damaged({damage_kind::array_block_stale, block,
                        "array block " + std::to_string(key) +
                            " lies beyond the end of an array of " +
                            std::to_string(array_.nr_array_blocks())});
      return;
    }
    expect_key(key);
    next_key_ = key + 1;
    if (!context_.seen.insert(block)) {
      report_lost({damage_kind::block_seen_twice, block,
                   "array block " + std::to_string(key) + ": another pointer leads here as well"},
                  key, key + 1);
    } else {
      visitor_.array_block_at({static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(block)});
    }
  }

  // All keys before `key` have been met or reported lost, or else they are missing.
  void expect_key(std::uint64_t key) {
    if (next_key_ < key) {
      report_lost({damage_kind::array_block_missing, last_node_,
                   "btree node: the tree has no array block " + std::to_string(next_key_) +
                       (key - next_key_ > 1 ? " to " + std::to_string(key - 1) : "")},
                  next_key_, key);
      next_key_ = key;
    }
  }

  void report_lost(damage found, std::uint64_t first_key, std::uint64_t end_key) {
    const std::uint64_t blocks = array_.nr_array_blocks();
    const std::uint64_t capacity = array_capacity(array_.value_size);
    found.first_lost = std::min(std::min(first_key, blocks) * capacity, array_.nr_elements);
    found.end_lost = std::min(std::min(end_key, blocks) * capacity, array_.nr_elements);
    visitor_.damaged(found);
  }

  walk_context& context_;
  std::span<const array_root> arrays_;
  index_visitor& visitor_;
  array_root array_;
  std::uint64_t next_key_ = 0;
  block_nr last_node_ = no_block;
};

}  // namespace

void init_array_block(std::byte* block, std::uint32_t value_size, std::uint32_t entries) {
  base::put_le32(block + 4, array_capacity(value_size));
  base::put_le32(block + 12, value_size);
  put_array_entries(block, entries);
}

void put_array_entries(std::byte* block, std::uint32_t entries) {
  base::put_le32(block + 8, entries);
}

std::uint32_t array_entries(const std::byte* block) {
  return base::get_le32(block + 8);
}

std::optional<damage> check_array_block(const std::byte* block, block_nr where,
                                        std::uint32_t value_size, std::uint32_t entries) {
  const std::uint32_t found_max = base::get_le32(block + 4);
  const std::uint32_t found_entries = array_entries(block);
  const std::uint32_t found_size = base::get_le32(block + 12);
  if (found_size != value_size || found_max != array_capacity(value_size)) {
    return damage{damage_kind::array_block_header, where,
                  "array block: " + std::to_string(found_max) + " values of " +
                      std::to_string(found_size) + " bytes, not " +
                      std::to_string(array_capacity(value_size)) + " of " +
                      std::to_string(value_size)};
  }
  if (found_entries != entries) {
    return damage{damage_kind::array_block_entries, where,
                  "array block: holds " + std::to_string(found_entries) + " values, not " +
                      std::to_string(entries)};
  }
  return std::nullopt;
}

void read_indexes(walk_context& context, std::span<const array_root> arrays,
                  index_visitor& visitor) {
  std::vector<block_nr> roots;
  roots.reserve(arrays.size());
  for (const array_root& array : arrays) {
    roots.push_back(array.root);
  }
  index_reader reader(context, arrays, visitor);
  walk_btrees(context, roots, sizeof(std::uint64_t), reader);
}

void array_block_batch::read(block_reader& reader, std::span<const array_block_request> requests) {
  requests_ = requests;
  blocks_.clear();
  for (const array_block_request& request : requests) {
    blocks_.push_back(request.ref.block);
  }
  if (room_ < requests.size()) {
    buffer_ = block_buffer(requests.size());
    room_ = requests.size();
  }
  reader.fetch(array_block, blocks_, buffer_, faults_);
}

void array_block_batch::hand_over(array_block_visitor& visitor) {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const std::byte* const block = buffer_.block(i);
    const array_block_request& request = requests_[i];
    std::optional<damage>& fault = faults_[i];
    if (!fault) {
      fault = check_head(array_block, request.ref.block, block);
    }
    if (!fault) {
      fault = check_array_block(block, request.ref.block, request.value_size, request.entries);
    }
    if (!fault) {
      visitor.values(request, block + array_header_size);
      continue;
    }
    fault->first_lost = std::uint64_t{request.ref.key} * array_capacity(request.value_size);
    fault->end_lost = fault->first_lost + request.entries;
    visitor.damaged(request, *fault);
  }
}

void array_block_reader::read(std::span<const array_block_request> requests,
                              array_block_visitor& visitor) {
  while (!requests.empty()) {
    const auto some = requests.first(std::min(requests.size(), array_block_batch::most));
    batch_.read(reader_, some);
    batch_.hand_over(visitor);
    requests = requests.subspan(some.size());
  }
}

void read_in_disk_order(block_reader& reader, std::vector<array_block_request> requests,
                        array_block_visitor& visitor) {
  const auto on_disk = [](const array_block_request& a, const array_block_request& b) {
    return a.ref.block < b.ref.block;
  };
  if (!std::is_sorted(requests.begin(), requests.end(), on_disk)) {
    std::sort(requests.begin(), requests.end(), on_disk);
  }
  std::span<const array_block_request> rest = requests;
  base::conveyor<array_block_batch> batches(3, [&](array_block_batch& batch) {
    const auto some = rest.first(std::min(rest.size(), array_block_batch::most));
    batch.read(reader, some);
    rest = rest.subspan(some.size());
    return !some.empty();
  });
  while (const auto batch = batches.next()) {
    batch->hand_over(visitor);
  }
}

}  // namespace pd
