// Everything that can be wrong with era metadata: a stable code, how bad it is, what it means for
// the user and how it is repaired, in one table (doc/format.md 10.3). Readers report problems to a
// sink; a check shows them all, those that need sound metadata stop at the first error. Thread
// safety: that of the sink.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "persistent-data/damage.h"

namespace era {

enum class severity {
  error,     // information is lost or will be
  nonfatal,  // wrong, but nothing is lost by it
  remark     // unusual, and harmless
};

// The first codes are those of pd::damage_kind, in its order.
enum class problem_code {
  superblock_checksum = pd::nr_damage_kinds,
  superblock_number,
  superblock_magic,
  superblock_version,
  superblock_metadata_block_size,
  superblock_roots,
  superblock_nr_blocks,
  superblock_block_size,
  superblock_flags,
  superblock_reserved,
  device_cut_off,
  snapshot_superblock,
  writeset_era,
  writeset_size,
  writeset_nr_bits,
  writeset_bits_beyond,
  writeset_gap,
  current_writeset_archived,
  era_above_current,
  era_above_archived,
  map_hints_never_resumed,
};
inline constexpr int nr_problem_codes = static_cast<int>(problem_code::map_hints_never_resumed) + 1;

constexpr problem_code code_of(pd::damage_kind kind) {
  return static_cast<problem_code>(static_cast<int>(kind));
}

struct problem_row {
  problem_code code;
  const char* name;  // stable: scripts may look for it
  severity how_bad;
  const char* consequence;  // where nothing more exact is known from the place
  const char* repair;       // what to do about it, where nothing more exact is known
};

const problem_row& row_of(problem_code code);
std::span<const problem_row> problem_table();
const char* severity_name(severity how_bad);

// Which structure a problem was found in.
enum class structure { superblock, writeset_tree, writeset, era_array, space_map };

struct place {
  structure in = structure::superblock;
  bool snapshot = false;  // in what the metadata snapshot holds
  std::uint32_t era = 0;  // of a writeset
  bool current = false;   // the open writeset
};

struct problem {
  problem_code code;
  place at;
  pd::block_nr block;
  std::string what;

  // Eras of the writeset tree, or data blocks of a writeset or the era array, that can't be known
  // because of it: first_lost up to but not including end_lost.
  std::uint64_t first_lost = 0;
  std::uint64_t end_lost = 0;

  // What was asked for can't be told because of it, though a check may call it harmless.
  bool decisive = false;
  bool is_foreign = false;  // it is not era metadata at all

  bool loses() const { return first_lost < end_lost; }
};

// Whether it ends what needs sound metadata.
bool is_error(const problem& found);

std::string describe(const place& at);

// "which of the data blocks 0 to 9 were written in era 4 is unknown"
std::string consequence_of(const problem& found);

// What to do about it: "restore the metadata from a dump".
const char* repair_of(const problem& found);

// "block 7 (era array): wrong checksum; what it holds is lost": the one sentence that reports,
// messages and logs say of a problem, without a full stop.
std::string sentence_of(const problem& found);

class problem_sink {
 public:
  virtual ~problem_sink() = default;
  virtual void found(const problem& p) = 0;
};

// Damage in the metadata of `file` that ends what was being done. The message is "FILE: " and the
// sentence of the problem.
class damage_error : public base::data_error {
 public:
  damage_error(const std::string& file, const problem& found);
  const problem& found() const { return found_; }

 private:
  problem found_;
};

// Throws damage_error at the first error; for those that give a whole result or none.
class strict_sink final : public problem_sink {
 public:
  explicit strict_sink(std::string file) : file_(std::move(file)) {}
  void found(const problem& p) override;

 private:
  std::string file_;
};

// Passes on the first problems of each code, and counts the rest: what hostile metadata makes a
// tool say is bounded.
class bounded_sink final : public problem_sink {
 public:
  static constexpr std::uint64_t most = 1000;

  explicit bounded_sink(problem_sink& next) : next_(next) {}
  void found(const problem& p) override;

  // How many were not passed on.
  std::uint64_t not_shown(problem_code code) const;
  std::uint64_t not_shown() const;

 private:
  problem_sink& next_;
  std::vector<std::uint64_t> found_ = std::vector<std::uint64_t>(nr_problem_codes);
};

// Reports damage in one structure to a problem sink.
class damage_in final : public pd::damage_sink {
 public:
  // `end` is where what can be lost ends: the nr_bits of a writeset, or, of the writeset tree, the
  // first era that can't have been.
  damage_in(place at, problem_sink& sink, std::uint64_t end = 0)
      : at_(at), sink_(sink), end_(end) {}
  void damaged(const pd::damage& found) override;

 private:
  place at_;
  problem_sink& sink_;
  std::uint64_t end_;
};

}  // namespace era
