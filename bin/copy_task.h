// One run of era_copy from a source to a target or into a delta: what the options say of it, the
// state file, the rounds, and the report at the end. Not thread safe.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/output.h"
#include "base/progress.h"
#include "bin/command_line.h"
#include "bin/copy_report.h"
#include "bin/copy_state.h"
#include "bin/copy_target.h"
#include "copy/delta.h"
#include "era/list/written_list.h"

namespace cli {

class copy_task {
 public:
  // `target` is the one that the command line names; empty if it wants a delta. Throws
  // base::usage_error, and what reading the state file throws.
  copy_task(const arguments& given, const command& tool, std::string target);

  // Lists what the next round is to copy, of an origin of so many bytes: what the options ask for,
  // and then what was written since the round before. Throws what list_written_blocks() and
  // end_with_origin() do, and era::damage_error.
  era::written_list list(pd::block_device& metadata, era::metadata_state which,
                         std::uint64_t origin_bytes);

  // Opens the target, makes it long enough, and has the state file say that a copy is in progress;
  // or begins the delta. `sources` is what the target must not be. Throws what open_copy_target()
  // and fit_target() do, and base::io_error.
  void open(const era::written_list& first, std::span<const struct stat> sources);

  // Of the target; empty for a delta.
  const std::string& target_path() const { return target_path_; }
  const copy_state& state() const { return state_; }

  // Copies what was listed, and notes it as a round. Throws what copy_extents() does.
  void copy(const era::written_list& list, copy::endpoint& from, const copy::copy_options& how);

  // Notes that the last round took place while the source was suspended for so long.
  void was_suspended(std::chrono::milliseconds time) { report_.suspended = time; }

  // Bytes a second of the rounds so far; none if they were too short to tell.
  std::optional<double> rate() const;

  // All that is to be copied was: completes the delta and the state file. `last` is of the last
  // round.
  void complete(const era::list_facts& last);

  // Prints the report, unless a delta went to standard output.
  void report(const std::string& source);

  copy::copy_options options() const { return options_; }
  base::progress& progress() { return progress_; }

 private:
  void begin_delta(const era::written_list& first, std::span<const struct stat> sources);

  const arguments& given_;
  const command& tool_;
  std::string target_path_;
  copy::copy_options options_;
  copy_state state_;
  era::list_question question_;  // of the next list
  base::progress_bar progress_;
  std::unique_ptr<copy::endpoint> target_;
  std::unique_ptr<base::output> delta_file_;
  std::unique_ptr<copy::delta_writer> delta_;
  copy_report report_;
};

// Of --skip-equal, --verify, --no-sparse and --rate.
copy::copy_options copy_options_of(const arguments& given);

// Prints it to standard output, as --format says, unless --quiet.
void print_report(const copy_report& report, const arguments& given);

}  // namespace cli
