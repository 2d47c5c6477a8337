#include "era/format/problems.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace era {
namespace {

const char* const unread = "what it holds is lost";
const char* const unreachable = "what lies below it is lost";
const char* const reuse = "the kernel may overwrite a block that is in use";
const char* const wasted = "the space is wasted, nothing is lost";

const char* const dump_repair =
    "era_dump --repair saves what is left, era_restore writes it to a fresh device";
const char* const rebuild_map = "era_dump and era_restore make a new space map";
const char* const nothing = "nothing to do";

// One row for each code, in the order of pd::damage_kind and then of problem_code.
constexpr int rows = nr_problem_codes;
const std::array<problem_row, rows> table{{
    {"block-out-of-range", severity::error, unread, dump_repair},
    {"block-unreadable", severity::error, unread, dump_repair},
    {"block-checksum", severity::error, unread, dump_repair},
    {"block-number", severity::error, unread, dump_repair},
    {"block-seen-twice", severity::error, unread, dump_repair},
    {"node-header", severity::error, unreachable, dump_repair},
    {"node-empty", severity::error, unreachable, dump_repair},
    {"node-key-order", severity::error, unreachable, dump_repair},
    {"node-key-range", severity::error, unreachable, dump_repair},
    {"node-leaf-depth", severity::error, unreachable, dump_repair},
    {"tree-too-deep", severity::error, unreachable, dump_repair},
    {"node-underfull", severity::nonfatal,
     "the tree takes more room than it should, nothing is lost",
     "era_dump and era_restore make full nodes"},
    {"node-odd-maximum", severity::remark, "other tools may refuse it",
     "era_dump and era_restore make usual nodes"},
    {"array-block-missing", severity::error, unread, dump_repair},
    {"array-block-header", severity::error, unread, dump_repair},
    {"array-block-entries", severity::error, unread, dump_repair},
    {"array-block-stale", severity::remark, "the kernel left it when the device shrank", nothing},
    {"map-root", severity::error, reuse, rebuild_map},
    {"map-smaller", severity::remark, "the rest of the device is not used", nothing},
    {"map-index-entry", severity::error, "the map cannot be trusted", rebuild_map},
    {"map-count-tree", severity::error, "the map cannot be trusted", rebuild_map},
    {"map-nr-allocated", severity::error, "the kernel's free space is wrong", rebuild_map},
    {"map-nr-free", severity::nonfatal, "a wrong hint, nothing is lost", rebuild_map},
    {"map-none-free-before", severity::nonfatal, "free blocks are not found, nothing is lost",
     rebuild_map},
    {"map-beyond-the-end", severity::error, "the map cannot be trusted", rebuild_map},
    {"count-too-low", severity::error, reuse, rebuild_map},
    {"count-too-high", severity::nonfatal, wasted, rebuild_map},

    {"superblock-checksum", severity::error, "nothing below it can be read",
     "restore the metadata from a dump"},
    {"superblock-number", severity::error, "it was written for another place",
     "restore the metadata from a dump"},
    {"superblock-magic", severity::error, "this is no era metadata",
     "give the tool the right device"},
    {"superblock-version", severity::error, "its meaning is unknown", "use a newer tool"},
    {"superblock-metadata-block-size", severity::error, "no kernel opens it",
     "restore the metadata from a dump"},
    {"superblock-roots", severity::error, "the trees can't be found",
     "restore the metadata from a dump"},
    {"superblock-nr-blocks", severity::error, "no kernel opens it",
     "restore the metadata from a dump"},
    {"superblock-block-size", severity::remark, "no kernel opens it",
     "restore the metadata from a dump with the right block_size"},
    {"superblock-flags", severity::remark, "nobody acts on them", nothing},
    {"superblock-reserved", severity::remark, "a newer kernel may have written them", nothing},
    {"snapshot-superblock", severity::error, "the metadata snapshot can't be read",
     "drop the metadata snapshot and take it again"},
    {"writeset-era", severity::error,
     "blocks are listed as written in an era that has not begun or not ended",
     "era_dump, mend current_era in the XML, era_restore"},
    {"writeset-size", severity::error, "which blocks were written in that era is unknown",
     dump_repair},
    {"writeset-nr-bits", severity::remark, "the device was resized", nothing},
    {"writeset-bits-beyond", severity::remark, "they count for nothing", nothing},
    {"writeset-gap", severity::remark, "a kernel before 5.12 may have lost an era at a power cut",
     nothing},
    {"current-writeset-archived", severity::error,
     "the open era and an archived one overwrite each other", dump_repair},
    {"era-above-current", severity::error,
     "the block is listed as written in an era that has not been yet",
     "era_dump, mend current_era in the XML, era_restore"},
    {"era-above-archived", severity::remark, "not left so by a kernel; the larger era counts",
     nothing},
    {"map-hints-never-resumed", severity::remark,
     "the device was formatted and never resumed; the kernel's first commit mends it", nothing},
}};

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

void strict_sink::found(const problem& p) {
  const problem_row& row = row_of(p.code);
  if (row.how_bad != severity::error) {
    return;
  }
  throw base::data_error(file_ + ": block " + std::to_string(p.block) + ", " + describe(p.at) +
                         ": " + p.what + "; " + consequence_of(p) + ".\nera_check lists all; " +
                         row.repair + ".");
}

void damage_in::damaged(const pd::damage& found) {
  problem p{code_of(found.kind), at_, found.block, found.what, found.first_lost, found.end_lost};
  if (at_.in == structure::writeset) {
    // pd counts words of a bitset.
    p.first_lost = std::min(p.first_lost * 64, nr_bits_);
    p.end_lost = std::min(p.end_lost * 64, nr_bits_);
  } else if (at_.in == structure::writeset_tree) {
    const std::uint64_t end_of_eras = std::uint64_t{1} << 32;
    p.first_lost = std::min(p.first_lost, end_of_eras);
    p.end_lost = std::min(p.end_lost, end_of_eras);
  }
  sink_.found(p);
}

}  // namespace era
