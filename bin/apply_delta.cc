#include "bin/apply_delta.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/progress.h"
#include "bin/copy_report.h"
#include "bin/copy_state.h"
#include "bin/copy_target.h"
#include "bin/copy_task.h"
#include "bin/open_text.h"
#include "copy/delta.h"
#include "era/list/delta_name.h"

namespace cli {
namespace {

using states = std::optional<era::since_state>;

states state_named(const std::optional<std::string>& name) {
  return name ? era::parse_delta_name(*name) : std::nullopt;
}

class application {
 public:
  application(const arguments& given, const command& tool, const std::string& target,
              copy::delta_reader& delta)
      : given_(given),
        tool_(tool),
        target_path_(target),
        delta_(delta),
        state_(given),
        from_(state_named(delta.header().from)),
        to_(state_named(delta.header().to)) {}

  void run(std::span<const struct stat> sources);

 private:
  void require_order() const;
  void require_known_states() const;
  void open_target(std::span<const struct stat> sources);
  std::optional<copy::extent> next();
  base::byte_range gap_before(const std::optional<copy::extent>& next) const;
  void require_all_of_growth() const;
  std::uint64_t size() const { return delta_.header().size.value_or(target_->size()); }

  const arguments& given_;
  const command& tool_;
  const std::string& target_path_;
  copy::delta_reader& delta_;
  copy_state state_;
  states from_;
  states to_;
  std::unique_ptr<copy::endpoint> target_;
  std::uint64_t old_size_ = 0;  // of the target
  std::uint64_t covered_ = 0;   // up to here the target had all, or the delta has
  std::optional<copy::extent> after_gap_;
  copy_round round_;
};

void application::require_known_states() const {
  const auto& header = delta_.header();
  if (!to_ || (header.from && !from_)) {
    throw base::data_error(delta_.name() +
                           ": does not say of which eras it is, so that no state file can be kept "
                           "of it\nera_copy --delta makes deltas that do.");
  }
}

void application::require_order() const {
  require_known_states();
  const std::optional<era::since_state>& last = state_.last();
  if (!from_) {
    return;
  }
  const std::string starts =
      delta_.name() + ": starts from era " + std::to_string(from_->next_since);
  if (!last) {
    throw base::data_error(starts + ", but there is no state file " + state_.path() +
                           "\nApply a delta of everything first.");
  }
  if (last->nr_blocks != from_->nr_blocks || last->block_size != from_->block_size) {
    throw base::data_error(delta_.name() + ": is of a device of " +
                           std::to_string(from_->nr_blocks) + " data blocks of " +
                           std::to_string(from_->block_size) + " sectors, but " + state_.path() +
                           " of one of " + std::to_string(last->nr_blocks) + " of " +
                           std::to_string(last->block_size) +
                           "\nIt is of another device, or one that was resized without a state "
                           "file: apply a delta of everything.");
  }
  if (last->next_since != from_->next_since) {
    throw base::data_error(starts + ", but the target has what was written before era " +
                           std::to_string(last->next_since) + ", by " + state_.path() +
                           "\nApply the deltas in the order in which they were made.");
  }
  if (last->in_progress && to_->current_era < last->current_era) {
    throw base::data_error(delta_.name() +
                           ": is older than the one that was half applied\nApply that one again.");
  }
}

void application::open_target(std::span<const struct stat> sources) {
  target_ = open_copy_target(target_path_, !delta_.header().from, sources);
  old_size_ = target_->size();
  covered_ = delta_.header().from ? old_size_ : 0;
  if (delta_.header().size) {
    target_->grow_to(*delta_.header().size);
  }
}

std::optional<copy::extent> application::next() {
  if (after_gap_) {
    return std::exchange(after_gap_, std::nullopt);
  }
  const std::optional<copy::extent> found = delta_.next();
  const base::byte_range gap = gap_before(found);
  if (found) {
    ++round_.ranges;
    round_.bytes += found->bytes.size();
    if (found->bytes.first <= covered_ || !delta_.header().from) {
      covered_ = std::max(covered_, found->bytes.end);
    }
  }
  if (gap.first >= gap.end) {
    return found;
  }
  after_gap_ = found;
  covered_ = std::max(covered_, gap.end);
  return copy::extent{gap, true};
}

// What starts from nothing has zeros where it says nothing, whatever the target had there.
base::byte_range application::gap_before(const std::optional<copy::extent>& next) const {
  const std::uint64_t end = next ? next->bytes.first : delta_.header().size.value_or(covered_);
  return delta_.header().from ? base::byte_range{}
                              : base::byte_range{covered_, std::min(end, old_size_)};
}

void application::require_all_of_growth() const {
  if (delta_.header().from && covered_ < size()) {
    throw base::data_error(target_path_ + ": was shorter than the device, and " + delta_.name() +
                           " has not all that was missing, from byte " + std::to_string(covered_) +
                           " on\nSo it was not a copy of what the delta starts from.");
  }
}

void application::run(std::span<const struct stat> sources) {
  using clock = std::chrono::steady_clock;
  if (state_.has_file()) {
    require_order();
  }
  open_target(sources);
  if (to_) {
    state_.begin(*to_);
  }
  const clock::time_point begun = clock::now();
  base::progress_bar progress(when_to_show_progress(given_));
  progress.begin("applying", 1);
  copy_report report;
  try {
    report.totals = copy::copy_extents(
        delta_, *target_, [this] { return next(); }, 0, copy_options_of(given_), progress);
    require_all_of_growth();
  } catch (const base::error& failure) {
    throw base::data_error(std::string(failure.what()) + "\n" + target_path_ +
                           " is half-way: apply a whole delta from the same state to it.");
  }
  if (to_) {
    state_.complete(*to_);
    report.next_since = to_->next_since;
  }
  round_.time = std::chrono::round<std::chrono::milliseconds>(clock::now() - begun);
  if (from_) {
    round_.since = from_->next_since;
  }
  report.rounds.push_back(round_);
  report.tool = tool_.name;
  report.source = delta_.name();
  report.target = target_path_;
  print_report(report, given_);
}

}  // namespace

void apply_delta(const arguments& given, const command& tool, const std::string& target) {
  const opened_text opened = open_text(given.value("apply"));
  const base::text_source& from = opened.source;
  copy::delta_reader delta(from.fd, from.name);
  const std::array sources = {base::stat_of(from.fd, from.name)};
  application(given, tool, target, delta).run(sources);
}

}  // namespace cli
