#include "era/target/live_metadata.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/error.h"
#include "era/read/metadata_file.h"

namespace era {
namespace {

void add_bitset_reference(pd::transaction_manager& transaction, const std::byte* value) {
  transaction.add_reference(decode_writeset(0, value).root);
}

void drop_bitset_reference(pd::transaction_manager& transaction, const std::byte* value) {
  const writeset set = decode_writeset(0, value);
  pd::bitset_editor(transaction, set.root, set.nr_bits).destroy();
}

constexpr pd::btree_values writeset_values{writeset_value_size, add_bitset_reference,
                                           drop_bitset_reference};

constexpr place in_superblock{structure::superblock, false, 0, false};
constexpr place in_writeset_tree{structure::writeset_tree, false, 0, false};

// What sound trees can't make up for: an era that would begin again, blocks that no era counts for.
void require_plausible(const std::string& name, const superblock& live,
                       std::optional<std::uint64_t> newest_archived) {
  if (live.data_block_size == 0 || live.data_block_size % metadata_block_sectors != 0) {
    throw damage_error(name, {problem_code::superblock_block_size, in_superblock, 0,
                              "data block size is " + std::to_string(live.data_block_size) +
                                  " sectors, not a positive multiple of 8"});
  }
  if (!newest_archived) {
    return;
  }
  if (live.nr_blocks == 0) {
    throw damage_error(name, {problem_code::superblock_nr_blocks, in_superblock, 0,
                              "no data blocks, though eras are archived"});
  }
  const bool again = live.current_open() && *newest_archived == live.current_era;
  if (*newest_archived > live.current_era || again) {
    throw damage_error(name, {problem_code::writeset_era, in_writeset_tree, live.writeset_tree_root,
                              "era " + std::to_string(*newest_archived) +
                                  " is archived, though the current era is " +
                                  std::to_string(live.current_era) + (again ? " and open" : "")});
  }
}

}  // namespace

live_metadata::opened live_metadata::format(pd::block_device& device,
                                            std::uint32_t data_block_size) {
  opened made{pd::transaction_manager::format(device), {}};
  made.live.data_block_size = data_block_size;
  made.live.writeset_tree_root = pd::btree_editor(made.transaction, writeset_values).make_empty();
  made.live.era_array_root = pd::array_editor::make_empty(made.transaction, era_size).where().root;
  return made;
}

live_metadata::opened live_metadata::open(pd::block_device& device, std::uint32_t data_block_size) {
  if (device.nr_blocks() == 0) {
    throw base::data_error(device.name() +
                           ": the metadata device has no whole block of 4096 bytes.");
  }
  metadata_file file(device);
  if (file.is_unformatted()) {
    return format(device, data_block_size);
  }
  strict_sink sink(device.name());
  const superblock live = file.read_superblock(0, sink).value();
  opened found{pd::transaction_manager::open(device, live.space_map), live};
  require_plausible(
      device.name(), live,
      pd::btree_editor(found.transaction, writeset_values).highest_key(live.writeset_tree_root));
  return found;
}

live_metadata::live_metadata(pd::block_device& device, opened from)
    : device_(device), transaction_(std::move(from.transaction)), superblock_(from.live) {}

live_metadata::live_metadata(pd::block_device& device, std::uint32_t data_block_size)
    : live_metadata(device, open(device, data_block_size)) {
  if (superblock_.space_map.nr_blocks == 0) {
    commit();
  }
}

bool live_metadata::is_last_commit_on_device() {
  pd::block_buffer blocks(2);
  const int error = pd::read_block(device_, 0, blocks.block(0));
  encode_superblock(superblock_, blocks.block(1));
  pd::seal_block(superblock_block, 0, blocks.block(1));
  return error == 0 && std::memcmp(blocks.block(0), blocks.block(1), pd::block_size) == 0;
}

std::optional<std::uint32_t> live_metadata::era_on_device() {
  pd::block_buffer block(1);
  const bool sound = pd::read_block(device_, 0, block.block(0)) == 0 &&
                     !pd::check_head(superblock_block, 0, block.block(0));
  return sound ? std::optional(decode_superblock(block.block(0)).current_era) : std::nullopt;
}

void live_metadata::attempt(const std::function<void()>& operation) {
  if (failed()) {
    throw base::io_error(
        transaction_.name() +
        ": an earlier operation failed, so nothing is committed any more; the last "
        "commit is on the device.\nRemove the target and create it anew. What failed was:\n" +
        failure_);
  }
  const superblock before = superblock_;
  try {
    operation();
  } catch (const std::exception& e) {
    superblock_ = before;
    failed_ = true;  // first: there may be no memory for the reason
    failure_ = e.what();
    throw;
  }
}

pd::btree_editor live_metadata::writeset_tree() {
  return {transaction_, writeset_values};
}

void live_metadata::write_commit() {
  superblock_.flags = 0;
  transaction_.commit(superblock_block, [&](const pd::space_map_root& map, std::byte* block) {
    superblock_.space_map = map;
    encode_superblock(superblock_, block);
  });
}

void live_metadata::commit() {
  attempt([&] { write_commit(); });
}

void live_metadata::resize(std::uint32_t nr_blocks) {
  attempt([&] {
    digest_.reset();  // its end may no longer be right
    pd::array_editor eras = era_array();
    eras.resize(nr_blocks);
    superblock_.era_array_root = eras.where().root;
    superblock_.nr_blocks = nr_blocks;
    write_commit();
  });
}

void live_metadata::begin_era() {
  if (superblock_.current_era == UINT32_MAX) {
    throw base::data_error(transaction_.name() +
                           ": the era counter is at its end, and no era can follow.\n"
                           "Make a full backup and start with new metadata.");
  }
  attempt([&] {
    archive_current();
    open_next_era();
    write_commit();
  });
}

void live_metadata::end_era() {
  attempt([&] {
    archive_current();
    write_commit();
  });
}

void live_metadata::archive_current() {
  if (!superblock_.current_open()) {
    return;
  }
  std::byte value[writeset_value_size];
  encode_writeset({superblock_.current_era, superblock_.current_nr_bits, superblock_.current_root},
                  value);
  pd::btree_editor tree = writeset_tree();
  tree.insert(superblock_.writeset_tree_root, superblock_.current_era, value);
  superblock_.current_root = pd::no_block;
}

void live_metadata::open_next_era() {
  ++superblock_.current_era;
  superblock_.current_nr_bits = superblock_.nr_blocks;
  superblock_.current_root = pd::bitset_editor::make(transaction_, superblock_.nr_blocks).root();
}

void live_metadata::mark(std::span<const block_range> ranges) {
  attempt([&] {
    pd::bitset_editor current(transaction_, superblock_.current_root, superblock_.current_nr_bits);
    for (const block_range& range : ranges) {
      for (std::uint64_t block = range.first; block < range.end; ++block) {
        current.set(block);
      }
    }
    current.flush();
    superblock_.current_root = current.root();
    write_commit();
  });
}

void live_metadata::take_snapshot() {
  if (superblock_.metadata_snap != pd::no_block) {
    throw std::logic_error("there is a metadata snapshot already");
  }
  attempt([&] {
    clone_for_snapshot();
    write_commit();
  });
}

// Of the superblock just committed. Its own current writeset and space map are stale in it.
void live_metadata::clone_for_snapshot() {
  const pd::block_ptr block = transaction_.create(superblock_block);
  superblock copy = superblock_;
  copy.location = block->where;
  encode_superblock(copy, block->data());
  transaction_.add_reference(superblock_.writeset_tree_root);
  transaction_.add_reference(superblock_.era_array_root);
  superblock_.metadata_snap = block->where;
}

void live_metadata::drop_snapshot() {
  if (superblock_.metadata_snap == pd::no_block) {
    throw std::logic_error("there is no metadata snapshot");
  }
  attempt([&] {
    release_snapshot();
    write_commit();
  });
}

void live_metadata::release_snapshot() {
  const block_nr where = superblock_.metadata_snap;
  {
    const pd::block_ptr block = transaction_.read(superblock_block, where);
    strict_sink sink(transaction_.name());
    check_superblock(block->data(), {structure::superblock, true, 0, false}, where, sink);
    const superblock copy = decode_superblock(block->data());
    writeset_tree().destroy(copy.writeset_tree_root);
    pd::array_editor(transaction_, era_array_root(copy.era_array_root, copy.nr_blocks)).destroy();
  }
  transaction_.drop_reference(where);
  superblock_.metadata_snap = pd::no_block;
}

bool live_metadata::digest_step() {
  bool worked = true;
  attempt([&] {
    if (!digest_) {
      worked = find_lowest_archived();
    } else if (digest_->next_bit < digest_->end_bit) {
      carry_over(*digest_);
    } else {
      drop_digested(*digest_);
      digest_.reset();
    }
  });
  return worked;
}

void live_metadata::refuse_writeset_tree(problem_code code, std::uint64_t era,
                                         const std::string& what) const {
  throw damage_error(transaction_.name(), {code,
                                           {structure::writeset_tree, false, 0, false},
                                           superblock_.writeset_tree_root,
                                           what,
                                           era,
                                           era + 1});
}

bool live_metadata::find_lowest_archived() {
  pd::btree_editor tree = writeset_tree();
  const auto era = tree.lowest_key(superblock_.writeset_tree_root);
  if (!era) {
    return false;
  }
  if (*era > UINT32_MAX) {
    refuse_writeset_tree(
        problem_code::writeset_era, *era,
        "a writeset has the key " + std::to_string(*era) + ", which is not an era");
  }
  const auto value = tree.find(superblock_.writeset_tree_root, *era);
  if (!value) {
    refuse_writeset_tree(code_of(pd::damage_kind::node_key_range), *era,
                         "a search does not find era " + std::to_string(*era));
  }
  const writeset set = decode_writeset(static_cast<std::uint32_t>(*era), value->data());
  digest_ = digest{set.era, set.root, set.nr_bits, 0, std::min(set.nr_bits, superblock_.nr_blocks)};
  return true;
}

void live_metadata::carry_over(digest& present) {
  const std::uint32_t end = std::min(present.end_bit, present.next_bit + bits_in_a_step);
  pd::bitset_editor bits(transaction_, present.root, present.nr_bits);
  pd::array_editor eras = era_array();
  for (std::uint32_t bit = present.next_bit; bit < end; ++bit) {
    if (bits.test(bit)) {
      // Eras only grow: one that is larger already stands for a later write.
      eras.set(bit, std::max(eras.get(bit), std::uint64_t{present.era}));
    }
  }
  superblock_.era_array_root = eras.where().root;
  present.next_bit = end;
}

void live_metadata::drop_digested(const digest& present) {
  pd::btree_editor tree = writeset_tree();
  if (!tree.remove(superblock_.writeset_tree_root, present.era)) {
    refuse_writeset_tree(code_of(pd::damage_kind::node_key_range), present.era,
                         "no way leads to era " + std::to_string(present.era));
  }
}

}  // namespace era
