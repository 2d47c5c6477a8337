#include "era/read/metadata_file.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "base/number.h"
#include "era/read/plausibility.h"
#include "persistent-data/space_map_check.h"

namespace era {
namespace {

constexpr int superblock_attempts = 5;
constexpr auto between_attempts = std::chrono::milliseconds(20);

class writeset_collector final : public pd::tree_visitor {
 public:
  writeset_collector(metadata& into, problem_sink& sink) : into_(into), sink_(sink) {}

  void leaf(block_nr where, const pd::node_view& node, bool first_visit) override {
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      // An era's key fits 32 bits; one that does not is reported below.
      const writeset set = decode_writeset(static_cast<std::uint32_t>(node.key(i)), node.value(i));
      if (first_visit) {
        into_.walk.counts->add(set.root);
      }
      if (into_.writesets.size() == into_.walk.reader.usable()) {
        into_.lost_writesets = true;
        sink_.found({problem_code::writeset_era, place_, where,
                     "more writesets than there are metadata blocks"});
        return;
      }
      if (node.key(i) > UINT32_MAX) {
        into_.lost_writesets = true;
        sink_.found(
            {problem_code::writeset_era, place_, where,
             "a writeset has the key " + std::to_string(node.key(i)) + ", which is not an era"});
        continue;
      }
      into_.writesets.push_back(set);
    }
  }

  void damaged(const pd::damage& found) override {
    into_.lost_writesets = into_.lost_writesets || found.first_lost < found.end_lost;
    damage_in(place_, sink_, std::uint64_t{into_.superblock.current_era} + 1).damaged(found);
  }

 private:
  metadata& into_;
  problem_sink& sink_;
  place place_{structure::writeset_tree, into_.is_snapshot(), 0, false};
};

// A length that no metadata device of this size can hold is damage in the number itself, not to be
// taken for so many bits by those that go on after damage.
void drop_impossible_writesets(metadata& from, problem_sink& sink) {
  const block_nr usable = from.walk.reader.usable();
  const std::uint64_t most =
      std::uint64_t{pd::array_capacity(pd::word_size)} * pd::bits_per_word * usable;
  const auto impossible = [&](const writeset& set) { return set.nr_bits > most; };
  for (std::size_t i = 0; i < from.writesets.size(); ++i) {
    const writeset& set = from.writesets[i];
    if (impossible(set)) {
      from.lost_writesets = true;
      sink.found({problem_code::writeset_size, from.place_of(i), set.root,
                  std::to_string(set.nr_bits) + " bits, but metadata of this size has room for " +
                      std::to_string(most)});
    }
  }
  from.has_current = from.has_current && !impossible(from.writesets.back());
  std::erase_if(from.writesets, impossible);
}

}  // namespace

bool metadata_file::is_unformatted() {
  if (blocks_.device().nr_blocks() == 0) {
    return false;
  }
  pd::block_buffer block(1);
  return pd::read_block(blocks_.device(), 0, block.block(0)) == 0 &&
         std::all_of(block.block(0), block.block(1), [](std::byte b) { return b == std::byte{0}; });
}

std::optional<superblock> metadata_file::read_superblock(block_nr where, problem_sink& sink) {
  const place at{structure::superblock, where != 0, 0, false};
  if (where >= blocks_.usable()) {
    sink.found({code_of(pd::damage_kind::block_out_of_range), at, where,
                "named as a superblock, but the device has " +
                    base::counted(blocks_.usable(), "metadata block")});
    return std::nullopt;
  }
  pd::block_buffer block(1);
  int error = 0;
  for (int attempt = 1;; ++attempt) {
    error = pd::read_block(blocks_.device(), where, block.block(0));
    if (attempt == superblock_attempts || (error == 0 && has_sound_checksum(block.block(0)))) {
      break;
    }
    std::this_thread::sleep_for(between_attempts);
  }
  if (error != 0) {
    sink.found({code_of(pd::damage_kind::block_unreadable), at, where,
                std::string("superblock cannot be read: ") + std::strerror(error)});
    return std::nullopt;
  }
  const std::string content = has_sound_checksum(block.block(0)) ? "" : blocks_.device().content();
  if (!check_superblock(block.block(0), at, where, sink, content)) {
    return std::nullopt;
  }
  const superblock found = decode_superblock(block.block(0));
  const std::uint64_t most = std::uint64_t{eras_in_a_block} * blocks_.usable();
  if (found.nr_blocks > most) {
    if (where == 0) {
      check_length(found, sink);
    }
    sink.found({problem_code::superblock_nr_blocks, at, where,
                std::to_string(found.nr_blocks) +
                    " data blocks, but metadata of this size has room " +
                    "for the eras of at most " + std::to_string(most)});
    return std::nullopt;
  }
  return found;
}

void metadata_file::check_length(const superblock& live, problem_sink& sink) {
  if (const auto missing = pd::blocks_missing(live.space_map, blocks_.usable())) {
    sink.found({problem_code::device_cut_off,
                {structure::superblock, false, 0, false},
                0,
                "its space map " + missing->what});
  }
}

metadata metadata_file::read_state(const superblock& from, metadata_state which, problem_sink& sink,
                                   pd::reference_counts* counts) {
  metadata found(blocks_, from, which);
  found.walk.counts = counts;
  found.walk.seen.insert(from.location);
  if (counts != nullptr && from.metadata_snap < blocks_.usable()) {
    found.walk.seen.insert(from.metadata_snap);
  }
  writeset_collector collector(found, sink);
  pd::walk_btree(found.walk, from.writeset_tree_root, writeset_value_size, collector);
  if (!found.is_snapshot() && from.current_open()) {
    found.has_current = true;
    found.writesets.push_back({from.current_era, from.current_nr_bits, from.current_root});
  }
  drop_impossible_writesets(found, sink);
  check_writesets(found, sink);
  return found;
}

void metadata_file::require_snapshot(const superblock& live, const std::string& file) {
  if (live.metadata_snap == pd::no_block) {
    throw base::data_error(file +
                           ": no current metadata snap.  Take one first: dmsetup message DEVICE 0 "
                           "take_metadata_snap");
  }
}

metadata metadata_file::load(metadata_state which, problem_sink& sink) {
  strict_sink strict(name());
  superblock from = read_superblock(0, strict).value();
  check_length(from, sink);
  if (which == metadata_state::snapshot) {
    require_snapshot(from, name());
    from = read_superblock(from.metadata_snap, strict).value();
  }
  return read_state(from, which, sink);
}

void metadata_file::require_held(const metadata& loaded) {
  blocks_.device().require_unchanged();
  if (!loaded.is_snapshot()) {
    return;
  }
  strict_sink strict(name());
  const superblock live = read_superblock(0, strict).value();
  const superblock& held = loaded.superblock;
  if (live.metadata_snap == held.location) {
    const superblock copy = read_superblock(live.metadata_snap, strict).value();
    if (copy.current_era == held.current_era &&
        copy.writeset_tree_root == held.writeset_tree_root &&
        copy.era_array_root == held.era_array_root) {
      return;
    }
  }
  throw base::data_error(name() +
                         ": the metadata snapshot was dropped while it was being read.  Take a new "
                         "one and start again.");
}

}  // namespace era
