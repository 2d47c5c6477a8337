#include "era/format/problems.h"

#include <algorithm>
#include <array>

#include "persistent-data/array.h"

namespace era {
namespace {

constexpr const char* unread = "what it holds is lost";
constexpr const char* unreachable = "what lies below it is lost";
constexpr const char* reuse = "the kernel may overwrite a block that is in use";
constexpr const char* wasted = "the space is wasted, nothing is lost";

constexpr const char* salvage =
    "era_repair writes sound metadata to another device, and loses no record of a write";
constexpr const char* rebuild = "era_repair builds the same metadata anew on another device";
constexpr const char* superblock_lost =
    "era_repair writes sound metadata to another device; unless the rest proves the superblock "
    "right, every block counts as written, in a new era";
constexpr const char* raise_era =
    "era_repair raises the current era to the latest one found, and takes every block that may "
    "have been written after the counter wrapped as written in it";
constexpr const char* nothing = "nothing to do";

constexpr std::array<problem_row, nr_problem_codes> table{{
    {code_of(pd::damage_kind::block_out_of_range), "block-out-of-range", severity::error, unread,
     salvage},
    {code_of(pd::damage_kind::block_unreadable), "block-unreadable", severity::error, unread,
     salvage},
    {code_of(pd::damage_kind::block_checksum), "block-checksum", severity::error, unread, salvage},
    {code_of(pd::damage_kind::block_number), "block-number", severity::error, unread, salvage},
    {code_of(pd::damage_kind::block_seen_twice), "block-seen-twice", severity::error, unread,
     salvage},
    {code_of(pd::damage_kind::node_header), "node-header", severity::error, unreachable, salvage},
    {code_of(pd::damage_kind::node_empty), "node-empty", severity::error, unreachable, salvage},
    {code_of(pd::damage_kind::node_key_order), "node-key-order", severity::error, unreachable,
     salvage},
    {code_of(pd::damage_kind::node_key_range), "node-key-range", severity::error, unreachable,
     salvage},
    {code_of(pd::damage_kind::node_leaf_depth), "node-leaf-depth", severity::error, unreachable,
     salvage},
    {code_of(pd::damage_kind::tree_too_deep), "tree-too-deep", severity::error, unreachable,
     salvage},
    {code_of(pd::damage_kind::node_underfull), "node-underfull", severity::nonfatal,
     "the tree takes more room than it should, nothing is lost", rebuild},
    {code_of(pd::damage_kind::node_odd_maximum), "node-odd-maximum", severity::remark,
     "era_simulate and other tools may refuse it", rebuild},
    {code_of(pd::damage_kind::array_block_missing), "array-block-missing", severity::error, unread,
     salvage},
    {code_of(pd::damage_kind::array_block_header), "array-block-header", severity::error, unread,
     salvage},
    {code_of(pd::damage_kind::array_block_entries), "array-block-entries", severity::error, unread,
     salvage},
    {code_of(pd::damage_kind::array_block_stale), "array-block-stale", severity::remark,
     "the kernel left it when the device shrank", nothing},
    {code_of(pd::damage_kind::map_root), "map-root", severity::error, reuse, rebuild},
    {code_of(pd::damage_kind::map_smaller), "map-smaller", severity::remark,
     "the rest of the device is not used", nothing},
    {code_of(pd::damage_kind::map_index_entry), "map-index-entry", severity::remark,
     "no reader uses it", nothing},
    {code_of(pd::damage_kind::map_count_tree), "map-count-tree", severity::error,
     "the map cannot be trusted", rebuild},
    {code_of(pd::damage_kind::map_nr_allocated), "map-nr-allocated", severity::error,
     "the kernel's free space is wrong", rebuild},
    {code_of(pd::damage_kind::map_nr_free), "map-nr-free", severity::nonfatal,
     "a wrong hint, nothing is lost", rebuild},
    {code_of(pd::damage_kind::map_none_free_before), "map-none-free-before", severity::nonfatal,
     "free blocks are not found, nothing is lost", rebuild},
    {code_of(pd::damage_kind::map_beyond_the_end), "map-beyond-the-end", severity::error,
     "the map cannot be trusted", rebuild},
    {code_of(pd::damage_kind::count_too_low), "count-too-low", severity::error, reuse, rebuild},
    {code_of(pd::damage_kind::count_too_high), "count-too-high", severity::nonfatal, wasted,
     rebuild},

    {problem_code::superblock_checksum, "superblock-checksum", severity::error,
     "nothing below it can be read", superblock_lost},
    {problem_code::superblock_number, "superblock-number", severity::error,
     "it was written for another place", superblock_lost},
    {problem_code::superblock_magic, "superblock-magic", severity::error,
     "this is not era metadata", "give the tool the right device"},
    {problem_code::superblock_version, "superblock-version", severity::error,
     "its meaning is unknown", "use a newer tool"},
    {problem_code::superblock_metadata_block_size, "superblock-metadata-block-size",
     severity::error, "no kernel opens it", superblock_lost},
    {problem_code::superblock_roots, "superblock-roots", severity::error,
     "the trees can't be found", superblock_lost},
    {problem_code::superblock_nr_blocks, "superblock-nr-blocks", severity::error,
     "no device is of that length, and no list of it can be right", superblock_lost},
    {problem_code::superblock_block_size, "superblock-block-size", severity::error,
     "no kernel opens it, and what a block number means is unknown", superblock_lost},
    {problem_code::superblock_flags, "superblock-flags", severity::remark, "nothing acts on them",
     nothing},
    {problem_code::superblock_reserved, "superblock-reserved", severity::remark,
     "a newer kernel may have written them", nothing},
    {problem_code::device_cut_off, "device-cut-off", severity::error,
     "what lies in the missing part is lost",
     "copy the metadata again, all of it; if that cannot be had, era_repair saves what is left"},
    {problem_code::snapshot_superblock, "snapshot-superblock", severity::error,
     "the metadata snapshot can't be read", "drop the metadata snapshot and take it anew"},
    {problem_code::writeset_era, "writeset-era", severity::error,
     "blocks are listed as written in an era that has not begun or not ended", raise_era},
    {problem_code::writeset_size, "writeset-size", severity::error,
     "which blocks were written in that era is unknown", salvage},
    {problem_code::writeset_nr_bits, "writeset-nr-bits", severity::remark, "the device was resized",
     nothing},
    {problem_code::writeset_bits_beyond, "writeset-bits-beyond", severity::remark,
     "they count for nothing", nothing},
    {problem_code::writeset_gap, "writeset-gap", severity::remark,
     "which blocks were written then is unknown; a kernel before 5.12 loses an era at a power cut",
     "lists since a later era are right; era_repair takes every block as written in a missing one"},
    {problem_code::current_writeset_archived, "current-writeset-archived", severity::error,
     "the open era and an archived one overwrite each other", salvage},
    {problem_code::era_above_current, "era-above-current", severity::error,
     "the block is listed as written in an era that has not been yet", raise_era},
    {problem_code::era_above_archived, "era-above-archived", severity::nonfatal,
     "the larger era counts here, but a kernel's digestion lowers it, and lists get too short",
     "era_repair keeps the larger era"},
    {problem_code::map_hints_never_resumed, "map-hints-never-resumed", severity::remark,
     "the device was formatted and never resumed; the kernel's first commit corrects it", nothing},
}};

// One row for each code, found by its number.
constexpr bool is_complete() {
  for (int i = 0; i < nr_problem_codes; ++i) {
    if (static_cast<int>(table[static_cast<std::size_t>(i)].code) != i) {
      return false;
    }
  }
  return true;
}
static_assert(is_complete(), "a row for each problem_code, in their order");

std::string range(std::uint64_t first, std::uint64_t end) {
  if (end - first == 1) {
    return " " + std::to_string(first);
  }
  return "s " + std::to_string(first) + " to " + std::to_string(end - 1);
}

}  // namespace

const problem_row& row_of(problem_code code) {
  return table[static_cast<std::size_t>(code)];
}

std::span<const problem_row> problem_table() {
  return table;
}

const char* severity_name(severity how_bad) {
  switch (how_bad) {
    case severity::error:
      return "error";
    case severity::nonfatal:
      return "non-fatal";
    case severity::remark:
      break;
  }
  return "remark";
}

std::string describe(const place& at) {
  const std::string prefix = at.snapshot ? "metadata snapshot, " : "";
  switch (at.in) {
    case structure::superblock:
      return prefix + "superblock";
    case structure::writeset_tree:
      return prefix + "writeset tree";
    case structure::writeset:
      return prefix + (at.current ? "current writeset, era " : "writeset of era ") +
             std::to_string(at.era);
    case structure::era_array:
      return prefix + "era array";
    case structure::space_map:
      break;
  }
  return prefix + "space map";
}

std::string consequence_of(const problem& found) {
  if (found.loses()) {
    switch (found.at.in) {
      case structure::writeset_tree:
        return "which blocks were written in the era" + range(found.first_lost, found.end_lost) +
               " is unknown";
      case structure::writeset:
        return "which of the data block" + range(found.first_lost, found.end_lost) +
               " were written in era " + std::to_string(found.at.era) + " is unknown";
      case structure::era_array:
        return "the last-written era of the data block" + range(found.first_lost, found.end_lost) +
               " is unknown";
      default:
        break;
    }
  }
  return row_of(found.code).consequence;
}

const char* repair_of(const problem& found) {
  return found.is_foreign ? "give the metadata device of the era target"
                          : row_of(found.code).repair;
}

std::string sentence_of(const problem& found) {
  return "block " + std::to_string(found.block) + " (" + describe(found.at) + "): " + found.what +
         "; " + consequence_of(found);
}

damage_error::damage_error(const std::string& file, const problem& found)
    : base::data_error(file + ": " + sentence_of(found) + "."), found_(found) {}

bool is_error(const problem& found) {
  return found.decisive || row_of(found.code).how_bad == severity::error;
}

void strict_sink::found(const problem& p) {
  if (is_error(p)) {
    throw damage_error(file_, p);
  }
}

void bounded_sink::found(const problem& p) {
  if (++found_[static_cast<std::size_t>(p.code)] <= most) {
    next_.found(p);
  }
}

std::uint64_t bounded_sink::not_shown(problem_code code) const {
  const std::uint64_t all = found_[static_cast<std::size_t>(code)];
  return all > most ? all - most : 0;
}

std::uint64_t bounded_sink::not_shown() const {
  std::uint64_t sum = 0;
  for (const problem_row& row : table) {
    sum += not_shown(row.code);
  }
  return sum;
}

void damage_in::damaged(const pd::damage& found) {
  problem p{code_of(found.kind), at_, found.block, found.what, found.first_lost, found.end_lost};
  if (at_.in == structure::writeset) {
    // pd counts words of a bitset.
    p.first_lost = std::min(p.first_lost * pd::bits_per_word, end_);
    p.end_lost = std::min(p.end_lost * pd::bits_per_word, end_);
  } else if (at_.in == structure::writeset_tree && p.loses()) {
    p.first_lost = std::min<std::uint64_t>(p.first_lost, UINT32_MAX);
    p.end_lost = std::max(p.first_lost + 1, std::min(p.end_lost, end_));
  }
  sink_.found(p);
}

}  // namespace era
