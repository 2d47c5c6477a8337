#include "persistent-data/disk_space_map.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/bytes.h"
#include "base/error.h"
#include "persistent-data/btree_builder.h"
#include "persistent-data/btree_walk.h"

namespace pd {
namespace {

constexpr std::uint32_t large = 3;  // "see the count tree"
constexpr std::uint64_t low_bits = 0x5555555555555555;

// The lower bit of each pair of bits that stands for a free block, both being 0.
std::uint64_t free_entries(std::uint64_t word) {
  return ~(word | word >> 1) & low_bits;
}

// Reads the count tree into a table.
class large_count_collector final : public tree_visitor {
 public:
  large_count_collector(const std::string& name, std::map<block_nr, std::uint32_t>& into)
      : name_(name), into_(into) {}

  void leaf(block_nr /*where*/, const node_view& node, bool /*first_visit*/) override {
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      into_[node.key(i)] = base::get_le32(node.value(i));
    }
  }
  void damaged(const damage& found) override {
    if (hides_references(found.kind)) {
      refuse_damage(name_, found);
    }
  }

 private:
  const std::string& name_;
  std::map<block_nr, std::uint32_t>& into_;
};

}  // namespace

disk_space_map::disk_space_map(std::string name, const space_map_root& root)
    : name_(std::move(name)),
      root_(root),
      places_(base::ceil_div(root.nr_blocks, counts_per_bitmap)),
      bitmaps_(places_.size()),
      committed_(places_.size()),
      changed_(places_.size()) {}

disk_space_map disk_space_map::format(const block_device& device) {
  space_map_root root;
  root.nr_blocks = usable_blocks(device);
  disk_space_map map(device.name(), root);
  // All bitmaps have yet to be written. Nothing is on disk, but block 0 is not to be handed out.
  map.changed_.assign(map.places_.size(), true);
  map.large_changed_ = true;
  map.set_count(0, 1);
  set_bitmap_count(map.committed_.block(0), 0, 1);
  return map;
}

disk_space_map disk_space_map::open(block_device& device, const space_map_root& root) {
  if (root.nr_blocks == 0 || root.nr_blocks > usable_blocks(device)) {
    refuse_damage(device.name(), 0,
                  "the space map covers " + std::to_string(root.nr_blocks) +
                      " blocks, the device has " + std::to_string(usable_blocks(device)));
  }
  disk_space_map map(device.name(), root);
  map.read(device);
  return map;
}

void disk_space_map::read(block_device& device) {
  block_reader reader(device);
  block_buffer index(1);
  std::vector<std::optional<damage>> faults;
  reader.read(index_block, {&root_.bitmap_root, 1}, index, faults);
  if (faults[0]) {
    refuse_damage(name_, *faults[0]);
  }
  for (std::size_t i = 0; i < places_.size(); ++i) {
    places_[i] = decode_index_entry(index.block(0), i).bitmap;
  }
  reader.read(bitmap_block, places_, bitmaps_, faults);
  for (const std::optional<damage>& fault : faults) {
    if (fault) {
      refuse_damage(name_, *fault);
    }
  }
  read_large_counts(device);
  std::memcpy(committed_.block(0), bitmaps_.block(0), places_.size() * block_size);
}

void disk_space_map::read_large_counts(block_device& device) {
  block_reader reader(device);
  walk_context context(reader);
  large_count_collector collector(name_, large_);
  walk_btree(context, root_.ref_count_root, sizeof(std::uint32_t), collector);
  for (block_nr block = 0; block < root_.nr_blocks; ++block) {
    if (context.seen.contains(block)) {
      large_nodes_.push_back(block);
    }
  }
  for (const auto& [block, count] : large_) {
    if (block >= root_.nr_blocks || small_count(bitmaps_, block) != large || count < large) {
      refuse_damage(name_, block, "the bitmaps and the tree of large reference counts disagree");
    }
  }
}

void disk_space_map::require_covered(block_nr block) const {
  if (block >= root_.nr_blocks) {
    refuse_damage(name_, block,
                  "named, but the space map ends at block " + std::to_string(root_.nr_blocks));
  }
}

std::uint32_t disk_space_map::small_count(const block_buffer& bitmaps, block_nr block) const {
  return bitmap_count(bitmaps.block(block / counts_per_bitmap),
                      static_cast<std::uint32_t>(block % counts_per_bitmap));
}

std::uint32_t disk_space_map::count(block_nr block) const {
  require_covered(block);
  const std::uint32_t small = small_count(bitmaps_, block);
  if (small < large) {
    return small;
  }
  const auto found = large_.find(block);
  if (found == large_.end()) {
    refuse_damage(name_, block, "the tree of large reference counts does not have its count");
  }
  return found->second;
}

bool disk_space_map::is_new(block_nr block) const {
  require_covered(block);
  return small_count(committed_, block) == 0 && small_count(bitmaps_, block) != 0;
}

void disk_space_map::set_count(block_nr block, std::uint32_t count) {
  const std::uint32_t before = small_count(bitmaps_, block);
  const std::uint32_t after = std::min(count, large);
  if (count >= large) {
    large_[block] = count;
  } else {
    large_.erase(block);
  }
  large_changed_ = large_changed_ || before == large || after == large;
  root_.nr_allocated += after != 0;
  root_.nr_allocated -= before != 0;
  if (before != after) {
    const std::size_t i = block / counts_per_bitmap;
    set_bitmap_count(bitmaps_.block(i), static_cast<std::uint32_t>(block % counts_per_bitmap),
                     after);
    changed_[i] = true;
  }
}

// The first block in [from, end) that is free in both maps; `end` if there is none.
block_nr disk_space_map::find_free(block_nr from, block_nr end) const {
  for (block_nr block = from; block < end;) {
    const std::size_t i = block / counts_per_bitmap;
    const std::uint32_t entry = block % counts_per_bitmap;
    const std::uint64_t used = bitmap_word(bitmaps_.block(i), entry / counts_per_word) |
                               bitmap_word(committed_.block(i), entry / counts_per_word);
    const std::uint64_t not_before = free_entries(used) >> (2 * (entry % counts_per_word));
    if (not_before != 0) {
      return std::min(end, block + static_cast<unsigned>(std::countr_zero(not_before)) / 2);
    }
    block += counts_per_word - entry % counts_per_word;
  }
  return end;
}

// What the last commit uses is not handed out before the next, so the rest need not be free.
void disk_space_map::refuse_allocation() const {
  block_nr freed = 0;
  for (block_nr block = 0; block < root_.nr_blocks; ++block) {
    freed += small_count(bitmaps_, block) == 0 && small_count(committed_, block) != 0;
  }
  throw out_of_space(name_ + ": no metadata block is free: " + std::to_string(root_.nr_allocated) +
                     " of " + std::to_string(root_.nr_blocks) + " are in use" +
                     (freed == 0 ? ""
                                 : ", and " + std::to_string(freed) +
                                       " that this change gave up can be had only once it is "
                                       "committed") +
                     "; the last commit stays valid.");
}

block_nr disk_space_map::allocate() {
  block_nr found = find_free(next_, root_.nr_blocks);
  if (found == root_.nr_blocks) {
    found = find_free(0, next_);
    if (found == next_) {
      refuse_allocation();
    }
  }
  next_ = found + 1;
  set_count(found, 1);
  return found;
}

void disk_space_map::increment(block_nr block) {
  const std::uint32_t old = count(block);
  if (old == 0) {
    refuse_damage(name_, block, "in use, but the space map has it as free");
  }
  if (old == std::numeric_limits<std::uint32_t>::max()) {
    refuse_damage(name_, block, "its reference count cannot grow any more");
  }
  set_count(block, old + 1);
}

bool disk_space_map::decrement(block_nr block) {
  const std::uint32_t old = count(block);
  if (old == 0) {
    refuse_damage(name_, block, "in use, but the space map has it as free");
  }
  set_count(block, old - 1);
  return old == 1;
}

void disk_space_map::write_large_counts(block_device& device) {
  for (const block_nr node : large_nodes_) {
    decrement(node);
  }
  large_nodes_.clear();
  btree_builder tree(
      [&](const std::byte* node) {
        block_buffer block(1);
        std::memcpy(block.block(0), node, block_size);
        large_nodes_.push_back(allocate());
        seal_block(node_block, large_nodes_.back(), block.block(0));
        const write_request request{large_nodes_.back(), block.block(0)};
        device.write({&request, 1});
        return large_nodes_.back();
      },
      sizeof(std::uint32_t));
  for (const auto& [block, count] : large_) {
    std::byte value[large_count_size];
    base::put_le32(value, count);
    tree.add(block, value);
  }
  root_.ref_count_root = tree.finish();
  large_changed_ = false;
}

// Each changed bitmap moves once; to move one may change another.
void disk_space_map::move_changed_blocks() {
  const auto move = [&](block_nr& place) {
    if (place != no_block) {
      decrement(place);
    }
    place = allocate();
  };
  move(root_.bitmap_root);
  std::vector<bool> moved(places_.size());
  while (moved != changed_) {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (changed_[i] && !moved[i]) {
        move(places_[i]);
        moved[i] = true;
      }
    }
  }
}

// Places past nr_blocks count as free, as the kernel has it.
index_entry disk_space_map::entry_for(std::size_t i) const {
  index_entry entry{places_[i], 0, counts_per_bitmap};
  for (std::uint32_t w = 0; w < counts_per_bitmap / counts_per_word; ++w) {
    const std::uint64_t free = free_entries(bitmap_word(bitmaps_.block(i), w));
    if (free != 0 && entry.nr_free == 0) {
      entry.none_free_before =
          w * counts_per_word + static_cast<std::uint32_t>(std::countr_zero(free)) / 2;
    }
    entry.nr_free += static_cast<std::uint32_t>(std::popcount(free));
  }
  return entry;
}

space_map_root disk_space_map::write(block_device& device) {
  if (!large_changed_ && std::find(changed_.begin(), changed_.end(), true) == changed_.end()) {
    return root_;
  }
  do {
    if (large_changed_) {
      write_large_counts(device);
    }
    move_changed_blocks();
    // Of the map's own blocks only a leaked one has a large count, which its move has changed.
  } while (large_changed_);
  block_buffer index(1);
  std::vector<write_request> batch;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    encode_index_entry(entry_for(i), i, index.block(0));
    if (changed_[i]) {
      seal_block(bitmap_block, places_[i], bitmaps_.block(i));
      batch.push_back({places_[i], bitmaps_.block(i)});
    }
  }
  seal_block(index_block, root_.bitmap_root, index.block(0));
  batch.push_back({root_.bitmap_root, index.block(0)});
  device.write(batch);
  return root_;
}

void disk_space_map::committed() {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (changed_[i]) {
      std::memcpy(committed_.block(i), bitmaps_.block(i), block_size);
      changed_[i] = false;
    }
  }
}

}  // namespace pd
