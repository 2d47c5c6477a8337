#include "era/repair/scan.h"

#include <algorithm>
#include <vector>

#include "era/format/era_array.h"
#include "era/format/writeset.h"
#include "persistent-data/block_reader.h"
#include "persistent-data/btree_node.h"

namespace era {
namespace {

std::uint32_t latest_of(const std::byte* values, std::uint32_t count) {
  std::uint32_t latest = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    latest = std::max(latest, base::get_le32(values + std::size_t{era_size} * i));
  }
  return latest;
}

class scanner {
 public:
  explicit scanner(pd::block_device& device)
      : device_(device), usable_(pd::usable_blocks(device)), array_blocks_(usable_) {}

  scan_result run(base::progress& progress) {
    progress.begin("scanning", pd::block_size);
    pd::block_buffer buffer(pd::read_batch);
    std::vector<pd::read_request> batch;
    for (block_nr first = 1; first < usable_; first += batch.size()) {
      batch.clear();
      for (block_nr where = first; where < usable_ && batch.size() < pd::read_batch; ++where) {
        batch.push_back({where, buffer.block(batch.size()), 0});
      }
      device_.read(batch);
      for (const pd::read_request& request : batch) {
        if (request.error == 0) {
          look_at(request.where, request.into);
        }
      }
      found_.blocks_read += batch.size();
      progress.at(found_.blocks_read, usable_);
    }
    for (const array_leaf& leaf : leaves_) {
      measure(leaf);
    }
    return found_;
  }

 private:
  // What an array block holds; no values: it is none, or can't be read.
  struct array_block_kind {
    std::uint16_t value_size = 0;
    std::uint16_t entries = 0;
  };

  // The last entry of a leaf that may be one of an era array's tree, and the first, which has the
  // same kind of array block.
  struct array_leaf {
    std::uint32_t where;
    std::uint32_t last_key;
    std::uint32_t first_child;
    std::uint32_t last_child;
  };

  void look_at(block_nr where, const std::byte* block) {
    const std::uint32_t salt = pd::body_crc(block) ^ pd::stored_checksum(block);
    for (const pd::block_type& type :
         {superblock_block, pd::node_block, pd::array_block, pd::index_block, pd::bitmap_block}) {
      if (salt != type.salt || pd::stored_number(type, block) != where) {
        continue;
      }
      ++found_.recognized;
      if (salt == superblock_block.salt) {
        look_at_superblock(where, block);
      } else if (salt == pd::node_block.salt) {
        look_at_node(where, block);
      } else if (salt == pd::array_block.salt) {
        look_at_array_block(where, block);
      }
    }
  }

  void look_at_superblock(block_nr where, const std::byte* block) {
    const superblock copy = decode_superblock(block);
    if (copy.magic != superblock_magic || copy.version != superblock_version) {
      return;
    }
    note_length(copy.nr_blocks, where);
    note_era(copy.current_era, where);
    const auto age = [](const superblock& s) { return std::pair(s.current_era, s.nr_blocks); };
    if (!found_.newest_copy || age(copy) > age(*found_.newest_copy)) {
      found_.newest_copy = copy;
    }
  }

  void look_at_node(block_nr where, const std::byte* block) {
    const pd::node_view node(block);
    const auto is_good = [&](std::uint32_t value_size) {
      const std::optional<pd::damage> fault = pd::check_node(block, where, value_size);
      return !fault || fault->kind == pd::damage_kind::node_odd_maximum;
    };
    if (!node.is_leaf() || node.nr_entries() == 0) {
      return;
    }
    if (node.value_size() == writeset_value_size && is_good(writeset_value_size)) {
      look_at_writesets(where, node);
    } else if (node.value_size() == sizeof(block_nr) && is_good(sizeof(block_nr))) {
      look_at_array_leaf(where, node);
    }
  }

  void look_at_writesets(block_nr where, const pd::node_view& node) {
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      if (node.key(i) <= UINT32_MAX) {
        const auto era = static_cast<std::uint32_t>(node.key(i));
        note_era(era, where);
        note_length(decode_writeset(era, node.value(i)).nr_bits, where);
      }
    }
  }

  void look_at_array_leaf(block_nr where, const pd::node_view& node) {
    const std::uint32_t last = node.nr_entries() - 1;
    if (node.key(last) <= max_data_blocks / eras_in_a_block && node.child(0) < usable_ &&
        node.child(last) < usable_) {
      leaves_.push_back({static_cast<std::uint32_t>(where),
                         static_cast<std::uint32_t>(node.key(last)),
                         static_cast<std::uint32_t>(node.child(0)),
                         static_cast<std::uint32_t>(node.child(last))});
    }
  }

  void look_at_array_block(block_nr where, const std::byte* block) {
    for (const std::uint32_t value_size : {era_size, pd::word_size}) {
      const std::uint32_t entries = pd::array_entries(block);
      if (entries <= pd::array_capacity(value_size) &&
          !pd::check_array_block(block, where, value_size, entries)) {
        array_blocks_[where] = {static_cast<std::uint16_t>(value_size),
                                static_cast<std::uint16_t>(entries)};
        if (value_size == era_size) {
          note_era(latest_of(block + pd::array_header_size, entries), where);
        }
      }
    }
  }

  // Where none of its two array blocks can be read, it may be a leaf of a bitset's tree too, whose
  // array would be longer than it is taken to be.
  void measure(const array_leaf& leaf) {
    const array_block_kind& first = array_blocks_[leaf.first_child];
    const array_block_kind& last = array_blocks_[leaf.last_child];
    if (first.value_size == pd::word_size || last.value_size == pd::word_size) {
      return;
    }
    const std::uint32_t entries = last.value_size == era_size ? last.entries : eras_in_a_block;
    note_length(std::uint64_t{leaf.last_key} * eras_in_a_block + entries, leaf.where);
  }

  void note_length(std::uint64_t nr_blocks, block_nr where) {
    const bool possible = nr_blocks <= max_data_blocks && nr_blocks <= eras_in_a_block * usable_;
    if (nr_blocks > 0 && possible && (!found_.nr_blocks || nr_blocks > found_.nr_blocks->value)) {
      found_.nr_blocks = {static_cast<std::uint32_t>(nr_blocks), where};
    }
  }

  void note_era(std::uint32_t era, block_nr where) {
    if (!found_.latest_era || era > found_.latest_era->value) {
      found_.latest_era = {era, where};
    }
  }

  pd::block_device& device_;
  block_nr usable_;
  std::vector<array_block_kind> array_blocks_;
  std::vector<array_leaf> leaves_;
  scan_result found_;
};

}  // namespace

scan_result scan(pd::block_device& device, base::progress& progress) {
  return scanner(device).run(progress);
}

}  // namespace era
