// What tests of transactions have in common: commits whose block 0 names some trees, metadata made
// by hand to go on from, and a check of a commit against every rule of the format. Not thread safe.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "persistent-data/array_test_support.h"
#include "persistent-data/space_map_builder.h"
#include "persistent-data/space_map_check.h"
#include "persistent-data/transaction_manager.h"

namespace pd::test {

// Block 0 of these tests; what counts is in its first sector, as in an era superblock.
inline constexpr block_type state_block{0x7E57, 8, "test superblock"};

struct committed_state {
  space_map_root map;
  std::vector<block_nr> roots;
};

inline void put_state(const space_map_root& map, const std::vector<block_nr>& roots,
                      std::byte* block) {
  encode_space_map_root(map, block + 16);
  base::put_le64(block + 48, roots.size());
  for (std::size_t i = 0; i < roots.size(); ++i) {
    base::put_le64(block + 56 + 8 * i, roots[i]);
  }
}

inline void commit(transaction_manager& transaction, const std::vector<block_nr>& roots = {}) {
  transaction.commit(state_block, [&](const space_map_root& map, std::byte* block) {
    put_state(map, roots, block);
  });
}

inline committed_state read_state(block_device& device) {
  block_buffer block(1);
  read_request request{0, block.block(0), 0};
  device.read({&request, 1});
  if (request.error != 0) {
    throw base::data_error("block 0 cannot be read");
  }
  EXPECT_FALSE(check_head(state_block, 0, block.block(0))) << "block 0 is not whole";
  committed_state state{decode_space_map_root(block.block(0) + 16), {}};
  for (std::size_t i = 0; i < base::get_le64(block.block(0) + 48); ++i) {
    state.roots.push_back(base::get_le64(block.block(0) + 56 + 8 * i));
  }
  return state;
}

inline transaction_manager open(block_device& device) {
  return transaction_manager::open(device, read_state(device).map);
}

// Commits what `writer` has appended so far, from block 1 on, with a reference count of 1 for each
// block but those named in `counts`.
inline void commit_built(bulk_writer& writer, const std::vector<block_nr>& roots,
                         const std::map<block_nr, std::uint32_t>& counts = {}) {
  std::vector<std::uint32_t> all(writer.next(), 1);
  for (const auto& [block, count] : counts) {
    all[block] = count;
  }
  const space_map_root map = write_space_map(writer, all);
  writer.flush();
  block_buffer block(1);
  put_state(map, roots, block.block(0));
  seal_block(state_block, 0, block.block(0));
  const write_request request{0, block.block(0)};
  writer.device().write({&request, 1});
}

using tree_contents = std::map<std::uint64_t, std::vector<std::byte>>;

// Takes the contents of a tree, and counts the blocks that its values name, if they are of that
// kind.
class contents_collector final : public tree_visitor {
 public:
  contents_collector(reference_counts* named, damage_sink& sink) : named_(named), sink_(sink) {}

  void leaf(block_nr, const node_view& node, bool first_visit) override {
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      contents[node.key(i)].assign(node.value(i), node.value(i) + node.value_size());
      if (named_ != nullptr && first_visit) {
        named_->add(node.child(i));
      }
    }
  }
  void damaged(const damage& d) override { sink_.damaged(d); }

  tree_contents contents;

 private:
  reference_counts* named_;
  damage_sink& sink_;
};

// Holds a commit against the rules of the format: first its trees, each of which stands for one
// reference to its root; then, by finish(), the space map against all references that were met.
// Trees may share blocks, so each is walked by itself.
class commit_check {
 public:
  explicit commit_check(block_device& device)
      : state_(read_state(device)), reader_(device), counts_(reader_.usable()) {
    counts_.add(0);
  }

  const committed_state& state() const { return state_; }

  tree_contents tree(block_nr root, std::uint32_t value_size) {
    return walk(root, value_size, nullptr);
  }

  // A tree whose values are block numbers.
  tree_contents tree_of_blocks(block_nr root) { return walk(root, 8, &counts_); }

  std::vector<std::uint64_t> array(const array_root& array) {
    counts_.add(array.root);
    walk_context context = new_context();
    array_recorder recorder;
    recorder.read(context, {&array, 1});
    for (const damage& d : recorder.found) {
      sink_.damaged(d);
    }
    std::vector<std::uint64_t> elements;
    for (const auto& element : recorder.elements[0]) {
      elements.push_back(element.value_or(0));
    }
    return elements;
  }

  // A block outside all trees has a reference.
  void add_reference(block_nr block) { counts_.add(block); }

  // References to blocks, after finish().
  std::uint32_t references(block_nr block) const { return counts_[block]; }

  void finish() {
    walk_context context = new_context();
    check_space_map(context, state_.map, true, sink_);
    EXPECT_TRUE(sink_.found.empty()) << text_of(sink_.found);
  }

 private:
  walk_context new_context() {
    walk_context context(reader_);
    context.counts = &counts_;
    return context;
  }

  tree_contents walk(block_nr root, std::uint32_t value_size, reference_counts* named) {
    counts_.add(root);
    walk_context context = new_context();
    contents_collector collector(named, sink_);
    walk_btree(context, root, value_size, collector);
    return collector.contents;
  }

  committed_state state_;
  block_reader reader_;
  reference_counts counts_;
  damage_recorder sink_;
};

// The blocks that a commit has in use.
inline std::vector<block_nr> blocks_in_use(block_device& device, const space_map_root& root) {
  const disk_space_map map = disk_space_map::open(device, root);
  std::vector<block_nr> in_use;
  for (block_nr block = 0; block < map.nr_blocks(); ++block) {
    if (map.count(block) > 0) {
      in_use.push_back(block);
    }
  }
  return in_use;
}

// Writes down what is written and flushed, in order. A write to a block that the last
// commit needs fails the test.
class watched_device final : public block_device {
 public:
  static constexpr block_nr flushed = UINT64_MAX;

  explicit watched_device(block_device& below) : below_(below), needed_(below.nr_blocks()) {}

  block_nr nr_blocks() const override { return below_.nr_blocks(); }
  const std::string& name() const override { return below_.name(); }
  void read(std::span<read_request> batch) override { below_.read(batch); }
  void write(std::span<const write_request> batch) override {
    for (const write_request& request : batch) {
      EXPECT_FALSE(needed_[request.where]) << "block " << request.where << " is overwritten";
      log.push_back(request.where);
    }
    below_.write(batch);
  }
  void flush() override {
    log.push_back(flushed);
    below_.flush();
  }

  // From now on all that this commit has in use must stay, but for block 0.
  void keep(const space_map_root& root) {
    needed_.assign(below_.nr_blocks(), false);
    for (const block_nr block : blocks_in_use(below_, root)) {
      needed_[block] = block != 0;
    }
  }
  bool keeps(block_nr block) const { return needed_[block]; }

  std::vector<block_nr> log;

 private:
  block_device& below_;
  std::vector<bool> needed_;
};

}  // namespace pd::test
