#include "era/read/metadata.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"

namespace era {
namespace {

constexpr int superblock_attempts = 5;
constexpr auto between_attempts = std::chrono::milliseconds(20);

// Only asked of what has no valid checksum: then a beginning that reads like a tag is no accident.
bool looks_like_xml(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) {
    bytes.remove_prefix(3);
  }
  const std::size_t at = bytes.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos || bytes[at] != '<' || at + 1 == bytes.size()) {
    return false;
  }
  const char next = bytes[at + 1];
  return next == '?' || next == '!' || std::isalpha(static_cast<unsigned char>(next)) != 0;
}

bool sound_checksum(const std::byte* block) {
  return (pd::body_crc(block) ^ pd::stored_checksum(block)) == superblock_block.salt;
}

void refuse_what_is_no_metadata(pd::file_device& device, const metadata_source& source) {
  const std::string head = device.first_bytes(pd::block_size);
  const bool whole = head.size() == pd::block_size;
  if (whole && sound_checksum(reinterpret_cast<const std::byte*>(head.data()))) {
    return;
  }
  if (looks_like_xml(head)) {
    throw base::data_error(source.path + ": This looks like XML.  " + source.tool +
                           " only reads the binary metadata format.\n" +
                           "Make metadata of it with era_restore.");
  }
  if (!whole) {
    throw base::data_error(source.path +
                           ": Metadata device/file too small.  Is this binary metadata?");
  }
}

class writeset_collector final : public pd::tree_visitor {
 public:
  writeset_collector(pd::walk_context& context, metadata& into, problem_sink& sink)
      : context_(context), into_(into), sink_(sink) {}

  void leaf(block_nr where, const pd::node_view& node, bool first_visit) override {
    for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
      // An era's key fits 32 bits; one that does not is reported below.
      const writeset set = decode_writeset(static_cast<std::uint32_t>(node.key(i)), node.value(i));
      if (first_visit) {
        context_.counts->add(set.root);
      }
      if (into_.writesets.size() == context_.reader.usable()) {
        into_.lost_writesets = true;
        sink_.found({problem_code::writeset_era, place_, where,
                     "more writesets than there are metadata blocks"});
        return;
      }
      if (node.key(i) > UINT32_MAX) {
        into_.lost_writesets = true;
        sink_.found(
            {problem_code::writeset_era, place_, where,
             "a writeset has the key " + std::to_string(node.key(i)) + ", which is no era"});
        continue;
      }
      into_.writesets.push_back(set);
    }
  }

  void damaged(const pd::damage& found) override {
    into_.lost_writesets = into_.lost_writesets || found.first_lost < found.end_lost;
    damage_in(place_, sink_).damaged(found);
  }

 private:
  pd::walk_context& context_;
  metadata& into_;
  problem_sink& sink_;
  place place_{structure::writeset_tree, into_.snapshot, 0, false};
};

// A length that no metadata device of this size can hold is damage in the number itself. Whoever
// goes on after damage must not take it for so many bits.
void drop_impossible_writesets(metadata& read, block_nr usable, problem_sink& sink) {
  const std::uint64_t most = std::uint64_t{pd::array_capacity(8)} * pd::bits_per_word * usable;
  const auto impossible = [&](const writeset& set) { return set.nr_bits > most; };
  for (std::size_t i = 0; i < read.writesets.size(); ++i) {
    const writeset& set = read.writesets[i];
    if (impossible(set)) {
      read.lost_writesets = true;
      sink.found({problem_code::writeset_size, read.place_of(i), set.root,
                  std::to_string(set.nr_bits) + " bits, but metadata of this size has room for " +
                      std::to_string(most)});
    }
  }
  read.has_current = read.has_current && !impossible(read.writesets.back());
  std::erase_if(read.writesets, impossible);
}

}  // namespace

pd::file_device open_metadata(const metadata_source& source) {
  using sharing = pd::file_device::sharing;
  pd::file_device device = pd::file_device::open_for_reading(
      source.path, source.snapshot ? sharing::shared : sharing::exclusive);
  refuse_what_is_no_metadata(device, source);
  return device;
}

bool is_unformatted(pd::block_device& device) {
  pd::block_buffer block(1);
  pd::read_request request{0, block.block(0), 0};
  device.read({&request, 1});
  return request.error == 0 &&
         std::all_of(block.block(0), block.block(1), [](std::byte b) { return b == std::byte{0}; });
}

std::optional<superblock> read_superblock(pd::block_reader& reader, block_nr where,
                                          problem_sink& sink) {
  const place at{structure::superblock, where != 0, 0, false};
  if (where >= reader.usable()) {
    sink.found({code_of(pd::damage_kind::block_out_of_range), at, where,
                "named as a superblock, but metadata blocks are 0 to " +
                    std::to_string(reader.usable() - 1)});
    return std::nullopt;
  }
  pd::block_buffer block(1);
  pd::read_request request{where, block.block(0), 0};
  for (int attempt = 1;; ++attempt) {
    reader.device().read({&request, 1});
    if (attempt == superblock_attempts || (request.error == 0 && sound_checksum(block.block(0)))) {
      break;
    }
    std::this_thread::sleep_for(between_attempts);
  }
  if (request.error != 0) {
    sink.found({code_of(pd::damage_kind::block_unreadable), at, where,
                std::string("cannot be read: ") + std::strerror(request.error)});
    return std::nullopt;
  }
  if (!check_superblock(block.block(0), at, where, sink)) {
    return std::nullopt;
  }
  const superblock read = decode_superblock(block.block(0));
  const std::uint64_t most = std::uint64_t{pd::array_capacity(4)} * reader.usable();
  if (read.nr_blocks > most) {
    sink.found({problem_code::superblock_nr_blocks, at, where,
                std::to_string(read.nr_blocks) +
                    " data blocks, but metadata of this size has room " +
                    "for the eras of at most " + std::to_string(most)});
    return std::nullopt;
  }
  return read;
}

metadata read_metadata(pd::walk_context& context, const superblock& state, bool snapshot,
                       problem_sink& sink) {
  metadata read;
  read.state = state;
  read.snapshot = snapshot;
  writeset_collector collector(context, read, sink);
  pd::walk_btree(context, state.writeset_tree_root, writeset_value_size, collector);
  if (!snapshot && state.current_open()) {
    if (const auto twin = read.find_archived(state.current_era)) {
      sink.found({problem_code::writeset_era, read.place_of(*twin), read.writesets[*twin].root,
                  "archived, though era " + std::to_string(state.current_era) + " is still open"});
    }
    read.has_current = true;
    read.writesets.push_back({state.current_era, state.current_nr_bits, state.current_root});
  }
  drop_impossible_writesets(read, context.reader.usable(), sink);
  return read;
}

std::optional<std::size_t> metadata::find_archived(std::uint32_t era) const {
  for (std::size_t i = 0; i < nr_archived(); ++i) {
    if (writesets[i].era == era) {
      return i;
    }
  }
  return std::nullopt;
}

metadata load_metadata(pd::walk_context& context, const metadata_source& source,
                       problem_sink& sink) {
  strict_sink strict(source.path);
  const std::optional<superblock> live = read_superblock(context.reader, 0, strict);
  if (!source.snapshot) {
    return read_metadata(context, *live, false, sink);
  }
  if (live->metadata_snap == pd::no_block) {
    throw base::data_error(source.path +
                           ": no current metadata snap.  Take one first: dmsetup message DEVICE 0 "
                           "take_metadata_snap");
  }
  const std::optional<superblock> copy =
      read_superblock(context.reader, live->metadata_snap, strict);
  return read_metadata(context, *copy, true, sink);
}

void check_snapshot_still_held(pd::block_reader& reader, const metadata& read) {
  if (!read.snapshot) {
    return;
  }
  const std::string& name = reader.device().name();
  strict_sink strict(name);
  const std::optional<superblock> live = read_superblock(reader, 0, strict);
  if (live->metadata_snap == read.state.location) {
    const std::optional<superblock> copy = read_superblock(reader, live->metadata_snap, strict);
    if (copy->current_era == read.state.current_era &&
        copy->writeset_tree_root == read.state.writeset_tree_root &&
        copy->era_array_root == read.state.era_array_root) {
      return;
    }
  }
  throw base::data_error(name +
                         ": the metadata snapshot was dropped while it was being read.  Take a new "
                         "one and start again.");
}

}  // namespace era
