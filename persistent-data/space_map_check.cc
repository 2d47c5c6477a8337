#include "persistent-data/space_map_check.h"

#include <algorithm>
#include <string>

#include "base/number.h"

namespace pd {
namespace {

// What the count tree holds: counts of 3 and more, ascending by block.
class count_tree final : public tree_visitor {
 public:
  // Blocks below `end` have counts; entries for others are damage and are not kept.
  count_tree(damage_sink& sink, block_nr end) : sink_(sink), end_(end) {}

  void leaf(block_nr where, const node_view& node, bool) override {
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      if (node.key(i) >= end_) {
        sink_.damaged({damage_kind::map_count_tree, where,
                       "count tree: entries for block " + std::to_string(node.key(i)) +
                           " and above, but the map ends at " + std::to_string(end_)});
        return;
      }
      const std::uint32_t count = base::get_le32(node.value(i));
      if (count < 3) {
        sink_.damaged({damage_kind::map_count_tree, where,
                       "count tree: a count of " + std::to_string(count) + " for block " +
                           std::to_string(node.key(i)) + ", where only counts above 2 belong"});
      }
      entries_.push_back({node.key(i), count});
    }
  }

  void damaged(const damage& found) override {
    complete_ = complete_ && found.first_lost == found.end_lost;
    sink_.damaged(found);
  }

  // Queries must come in ascending order of blocks. The count, or 0 if the tree has none.
  std::uint32_t take(block_nr block) {
    if (next_ < entries_.size() && entries_[next_].block == block) {
      return entries_[next_++].count;
    }
    return 0;
  }

  // The tree has entries before `block` that were not asked for.
  bool has_entry_before(block_nr block) const {
    return next_ < entries_.size() && entries_[next_].block < block;
  }
  block_nr skip() { return entries_[next_++].block; }

  bool complete() const { return complete_; }

 private:
  struct entry {
    block_nr block;
    std::uint32_t count;
  };
  damage_sink& sink_;
  block_nr end_;
  std::vector<entry> entries_;
  std::size_t next_ = 0;
  bool complete_ = true;
};

// Gathers neighbours with the same fault into one report.
class count_faults {
 public:
  explicit count_faults(damage_sink& sink) : sink_(sink) {}
  ~count_faults() = default;

  void add(block_nr block, std::uint32_t recorded, std::uint32_t counted) {
    if (length_ > 0 && first_ + length_ == block && recorded == recorded_ && counted == counted_) {
      ++length_;
      return;
    }
    report();
    first_ = block;
    length_ = 1;
    recorded_ = recorded;
    counted_ = counted;
  }

  void report() {
    if (length_ == 0) {
      return;
    }
    const bool low = recorded_ < counted_;
    std::string what = "counted " + base::counted(recorded_, "time") + ", but named " +
                       base::counted(counted_, "time");
    if (length_ > 1) {
      what += ", here and in the blocks up to " + std::to_string(first_ + length_ - 1);
    }
    sink_.damaged({low ? damage_kind::count_too_low : damage_kind::count_too_high, first_, what});
    length_ = 0;
  }

 private:
  damage_sink& sink_;
  block_nr first_ = 0;
  block_nr length_ = 0;
  std::uint32_t recorded_ = 0;
  std::uint32_t counted_ = 0;
};

class space_map_check {
 public:
  space_map_check(walk_context& context, const space_map_root& root, bool counts_complete,
                  damage_sink& sink)
      : context_(context),
        root_(root),
        counts_complete_(counts_complete),
        sink_(sink),
        covered_(std::min<block_nr>(root.nr_blocks, context.reader.usable())),
        nr_bitmaps_(static_cast<std::uint32_t>(base::ceil_div(covered_, counts_per_bitmap))),
        index_(1),
        bitmaps_(nr_bitmaps_),
        overflow_(sink, covered_) {}

  void run() {
    check_size();
    context_.counts->add(root_.bitmap_root);
    context_.counts->add(root_.ref_count_root);
    walk_btree(context_, root_.ref_count_root, large_count_size, overflow_);
    // That a map of no blocks counts too low, all over, follows from its size.
    if (covered_ > 0 && read_index()) {
      read_bitmaps();
      compare();
    }
  }

 private:
  void report(damage_kind kind, block_nr block, const std::string& what) {
    sink_.damaged({kind, block, what});
  }

  void check_size() {
    const block_nr usable = context_.reader.usable();
    if (root_.nr_blocks == 0) {
      report(damage_kind::map_root, 0, "covers no block");
    } else if (const auto missing = blocks_missing(root_, usable)) {
      sink_.damaged(*missing);
    } else if (root_.nr_blocks < usable) {
      report(damage_kind::map_smaller, 0,
             "covers " + std::to_string(root_.nr_blocks) + " blocks of a device of " +
                 std::to_string(usable));
    }
  }

  bool read_index() {
    context_.reader.read(index_block, {&root_.bitmap_root, 1}, index_, faults_);
    if (faults_[0]) {
      sink_.damaged(*faults_[0]);
      return false;
    }
    if (!context_.seen.insert(root_.bitmap_root)) {
      report(damage_kind::block_seen_twice, root_.bitmap_root,
             "the index lies in a block of another structure");
      return false;
    }
    for (std::uint32_t i = nr_bitmaps_; i < index_entries; ++i) {
      const index_entry entry = decode_index_entry(index_.block(0), i);
      if (entry.bitmap != 0 || entry.nr_free != 0 || entry.none_free_before != 0) {
        report(damage_kind::map_index_entry, root_.bitmap_root,
               "index entry " + std::to_string(i) + " is not zero, though only the first " +
                   std::to_string(nr_bitmaps_) + " are used");
        return true;
      }
    }
    return true;
  }

  void read_bitmaps() {
    std::vector<block_nr> blocks;
    blocks.reserve(nr_bitmaps_);
    for (std::uint32_t i = 0; i < nr_bitmaps_; ++i) {
      blocks.push_back(decode_index_entry(index_.block(0), i).bitmap);
    }
    context_.reader.read(bitmap_block, blocks, bitmaps_, faults_);
    for (std::uint32_t i = 0; i < nr_bitmaps_; ++i) {
      context_.counts->add(blocks[i]);
      if (!faults_[i] && !context_.seen.insert(blocks[i])) {
        faults_[i] = damage{damage_kind::block_seen_twice, blocks[i],
                            "space map bitmap: another pointer leads here as well"};
      }
      if (faults_[i]) {
        sink_.damaged(*faults_[i]);
        all_bitmaps_ = false;
      }
    }
  }

  void compare() {
    count_faults faults(sink_);
    for (std::uint32_t i = 0; i < nr_bitmaps_; ++i) {
      if (!faults_[i]) {
        compare_bitmap(i, faults);
      }
    }
    for (block_nr block = covered_; block < context_.counts->nr_blocks(); ++block) {
      if ((*context_.counts)[block] > 0) {
        faults.add(block, 0, (*context_.counts)[block]);
      }
    }
    faults.report();
    report_unasked(UINT64_MAX);
    if (all_bitmaps_ && nr_allocated_ != root_.nr_allocated) {
      report(damage_kind::map_nr_allocated, 0,
             "says that " + std::to_string(root_.nr_allocated) + " blocks are in use; it holds " +
                 std::to_string(nr_allocated_));
    }
  }

  void compare_bitmap(std::uint32_t i, count_faults& faults) {
    const std::byte* const bitmap = bitmaps_.block(i);
    const block_nr first = block_nr{i} * counts_per_bitmap;
    const auto in_use =
        static_cast<std::uint32_t>(std::min<block_nr>(counts_per_bitmap, covered_ - first));
    std::uint32_t nr_free = 0;
    std::uint32_t first_free = counts_per_bitmap;
    for (std::uint32_t entry = 0; entry < in_use; ++entry) {
      const std::uint32_t recorded = recorded_count(bitmap, entry, first + entry);
      if (recorded == 0) {
        ++nr_free;
        first_free = std::min(first_free, entry);
      } else {
        ++nr_allocated_;
      }
      compare_count(first + entry, recorded, faults);
    }
    check_entries_beyond(i, in_use);
    check_hints(i, nr_free, counts_per_bitmap - in_use, first_free);
  }

  // 3 or more by the bitmap, and the count tree does not say how much.
  static constexpr std::uint32_t unknown_count = UINT32_MAX;

  std::uint32_t recorded_count(const std::byte* bitmap, std::uint32_t entry, block_nr block) {
    const std::uint32_t small = bitmap_count(bitmap, entry);
    if (small < 3) {
      return small;
    }
    report_unasked(block);
    const std::uint32_t large = overflow_.take(block);
    if (large == 0 && overflow_.complete()) {
      report(damage_kind::map_count_tree, block,
             "the bitmap refers to the count tree, which has no such block");
    }
    return large == 0 ? unknown_count : std::max(large, 3U);
  }

  void report_unasked(block_nr before) {
    while (overflow_.has_entry_before(before)) {
      const block_nr block = overflow_.skip();
      if (!faults_[block / counts_per_bitmap]) {
        report(damage_kind::map_count_tree, block,
               "the count tree has an entry that its bitmap does not refer to");
      }
    }
  }

  void compare_count(block_nr block, std::uint32_t recorded, count_faults& faults) {
    if (recorded == unknown_count) {
      return;
    }
    const std::uint32_t counted = (*context_.counts)[block];
    if (recorded < counted ||
        (recorded > counted && counts_complete_ && overflow_.complete() && all_bitmaps_)) {
      faults.add(block, recorded, counted);
    }
  }

  void check_entries_beyond(std::uint32_t i, std::uint32_t in_use) {
    for (std::uint32_t entry = in_use; entry < counts_per_bitmap; ++entry) {
      if (bitmap_count(bitmaps_.block(i), entry) != 0) {
        report(damage_kind::map_beyond_the_end, decode_index_entry(index_.block(0), i).bitmap,
               "the bitmap has counts for blocks past the end");
        return;
      }
    }
  }

  void check_hints(std::uint32_t i, std::uint32_t nr_free, std::uint32_t beyond,
                   std::uint32_t first_free) {
    const index_entry entry = decode_index_entry(index_.block(0), i);
    if (entry.nr_free != nr_free && entry.nr_free != nr_free + beyond) {
      report(damage_kind::map_nr_free, root_.bitmap_root,
             "index entry " + std::to_string(i) + " says that " + std::to_string(entry.nr_free) +
                 " blocks are free; the bitmap has " + std::to_string(nr_free) + " (or, with the " +
                 std::to_string(beyond) + " past the end, " + std::to_string(nr_free + beyond) +
                 ")");
    }
    if (entry.none_free_before > first_free) {
      report(damage_kind::map_none_free_before, root_.bitmap_root,
             "index entry " + std::to_string(i) + " says that no entry below " +
                 std::to_string(entry.none_free_before) + " is free, but entry " +
                 std::to_string(first_free) + " is");
    }
  }

  walk_context& context_;
  space_map_root root_;
  bool counts_complete_;
  damage_sink& sink_;
  block_nr covered_;  // blocks that both the map and the device have
  std::uint32_t nr_bitmaps_;
  block_buffer index_;
  block_buffer bitmaps_;
  std::vector<std::optional<damage>> faults_;
  count_tree overflow_;
  std::uint64_t nr_allocated_ = 0;
  bool all_bitmaps_ = true;
};

}  // namespace

std::optional<damage> blocks_missing(const space_map_root& root, block_nr usable) {
  if (root.nr_blocks <= usable) {
    return std::nullopt;
  }
  return damage{damage_kind::map_root, 0,
                "covers " + std::to_string(root.nr_blocks) + " blocks, but the device has " +
                    std::to_string(usable) + ": it is cut off, or an incomplete copy"};
}

void check_space_map(walk_context& context, const space_map_root& root, bool counts_complete,
                     damage_sink& sink) {
  space_map_check(context, root, counts_complete, sink).run();
}

}  // namespace pd
