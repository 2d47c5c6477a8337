#include "era/simulation/era_model.h"

#include <algorithm>

#include "base/error.h"
#include "era/check/check.h"
#include "era/read/era_reader.h"

namespace era {
namespace {

// Remarks aside, which a resize gives rise to.
class no_fault_at_all final : public problem_sink {
 public:
  explicit no_fault_at_all(std::string file) : file_(std::move(file)) {}

  void found(const problem& p) override {
    if (row_of(p.code).how_bad != severity::remark) {
      throw damage_error(file_, p);
    }
  }

 private:
  std::string file_;
};

std::vector<std::uint32_t> read_eras(metadata_file& file, metadata_state which,
                                     problem_sink& sink) {
  metadata found = file.load(which, sink);
  std::vector<std::uint32_t> eras(found.superblock.nr_blocks);
  era_reader reader(found, sink);
  for (std::uint64_t first = 0; first < eras.size(); first += era_reader::window) {
    const std::uint64_t count = std::min<std::uint64_t>(era_reader::window, eras.size() - first);
    reader.last_written(first, std::span(eras).subspan(first, count));
  }
  return eras;
}

std::string words_for(std::uint64_t block, std::uint32_t expected, std::uint32_t found) {
  return "block " + std::to_string(block) + ": last written in era " + std::to_string(expected) +
         ", but found in era " + std::to_string(found);
}

}  // namespace

std::optional<era_state> read_sound_state(pd::block_device& device) {
  metadata_file file(device);
  if (file.is_unformatted()) {
    return std::nullopt;
  }
  no_fault_at_all sink(device.name());
  base::no_progress silent;
  const check_summary summary = check(device, {}, sink, silent);
  era_state found;
  found.current_era = summary.found.current_era;
  found.eras = read_eras(file, metadata_state::live, sink);
  if (summary.metadata_snap != pd::no_block) {
    found.snapshot = read_eras(file, metadata_state::snapshot, sink);
  }
  return found;
}

void era_model::adopt(const era_state& found) {
  resize(found.eras.size());
  state_ = found;
}

void era_model::learn(const era_state& found) {
  adopt(found);
  known_end_ = found.eras.size();
  era_learned_ = found.current_era;
}

void era_model::resize(std::uint64_t nr_blocks) {
  for (std::uint64_t block = nr_blocks; block < state_.eras.size(); ++block) {
    cut_off_[block] = std::max(cut_off_[block], state_.eras[block]);
  }
  state_.eras.resize(nr_blocks);
  cut_off_.resize(std::max<std::size_t>(cut_off_.size(), nr_blocks));
}

void era_model::wrote(const block_range& blocks) {
  for (std::uint64_t block = blocks.first; block < blocks.end; ++block) {
    state_.eras[block] = state_.current_era;
  }
}

std::uint32_t era_model::era_if_grown_back(std::uint64_t block) const {
  const std::uint32_t cut_off = block < cut_off_.size() ? cut_off_[block] : 0;
  return block < known_end_ ? cut_off : std::max(cut_off, era_learned_);
}

// What `eras` says of the block is `era`, or the block was cut off and grown back.
bool era_model::allows(const std::vector<std::uint32_t>& eras, std::uint64_t block,
                       std::uint32_t era) const {
  const std::uint32_t own = block < eras.size() ? eras[block] : 0;
  return era == own || (own < era && era <= era_if_grown_back(block));
}

bool era_model::allows_snapshot(const std::optional<std::vector<std::uint32_t>>& found) const {
  if (!found || !state_.snapshot) {
    return found.has_value() == state_.snapshot.has_value();
  }
  bool all = found->size() == state_.snapshot->size();
  for (std::uint64_t block = 0; all && block < found->size(); ++block) {
    all = allows(*state_.snapshot, block, (*found)[block]);
  }
  return all;
}

std::vector<std::string> era_model::differences(const era_state& found,
                                                const era_model* after) const {
  const era_model& other = after != nullptr ? *after : *this;
  std::vector<std::string> all;
  if (found.current_era < state_.current_era || found.current_era > other.state_.current_era) {
    all.push_back("the current era is " + std::to_string(found.current_era) + ", not " +
                  std::to_string(state_.current_era));
  }
  if (found.eras.size() != state_.eras.size() && found.eras.size() != other.state_.eras.size()) {
    all.push_back(std::to_string(found.eras.size()) + " data blocks, not " +
                  std::to_string(state_.eras.size()));
  }
  for (std::uint64_t block = 0; block < found.eras.size(); ++block) {
    const std::uint32_t era = found.eras[block];
    if (!allows(state_.eras, block, era) && !other.allows(other.state_.eras, block, era)) {
      all.push_back(words_for(block, block < state_.eras.size() ? state_.eras[block] : 0, era));
    }
  }
  if (!allows_snapshot(found.snapshot) && !other.allows_snapshot(found.snapshot)) {
    all.push_back("the metadata snapshot holds other eras than when it was taken");
  }
  return all;
}

}  // namespace era
