// What metadata must say, kept without any metadata: a plain vector of the era in which each data
// block was last written. A simulation keeps one beside the target, and holds the metadata that
// the target left against it. Eight bytes a data block, and four for each of a metadata snapshot.
// Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "era/format/block_range.h"
#include "persistent-data/block_device.h"

namespace era {

// What is found when metadata is read: the last-written eras, live and of the metadata snapshot.
struct era_state {
  std::uint32_t current_era = 0;
  std::vector<std::uint32_t> eras;
  std::optional<std::vector<std::uint32_t>> snapshot;
};

// Reads it, by the code that the tools use, after a check like era_check's. Empty if the device was
// never formatted. Throws base::data_error at the first problem that is more than a remark; a leak
// is.
std::optional<era_state> read_sound_state(pd::block_device& device);

class era_model {
 public:
  // Metadata that was never formatted.
  era_model() = default;

  // Goes on from what was found.
  void adopt(const era_state& found);

  // Begins with what was found in metadata of which nothing was known. It may have been longer
  // once: what lies past its end may show any era up to the present one when it is grown back.
  void learn(const era_state& found);

  // What a resume does: another length, maybe, then a new era.
  void resize(std::uint64_t nr_blocks);
  void begin_era() { state_.current_era += state_.current_era < UINT32_MAX ? 1 : 0; }

  // A write to these blocks was completed.
  void wrote(const block_range& blocks);

  // Everything before the current era is kept.
  void take_snapshot() { state_.snapshot = state_.eras; }
  void drop_snapshot() { state_.snapshot.reset(); }

  const era_state& state() const { return state_; }

  // What differs in `found` from this model, block by block; nothing if all is as it should be.
  // Where `after` is given, the power failed on the way from this model to that one, and each block
  // may be as in either of them.
  std::vector<std::string> differences(const era_state& found,
                                       const era_model* after = nullptr) const;

 private:
  std::uint32_t era_if_grown_back(std::uint64_t block) const;
  bool allows(const std::vector<std::uint32_t>& eras, std::uint64_t block, std::uint32_t era) const;
  bool allows_snapshot(const std::optional<std::vector<std::uint32_t>>& found) const;

  era_state state_;

  // The newest era that a block had before it was cut off: if it is grown back, that may show.
  std::vector<std::uint32_t> cut_off_;
  std::uint64_t known_end_ = UINT64_MAX;  // the length that was learned
  std::uint32_t era_learned_ = 0;
};

}  // namespace era
