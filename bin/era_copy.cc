#include <array>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_handle.h"
#include "bin/apply_delta.h"
#include "bin/command_line.h"
#include "bin/copy_task.h"
#include "bin/live_copy.h"
#include "bin/metadata_source.h"
#include "bin/since_file.h"

namespace {

constexpr cli::command command{
    "era_copy",
    "[options] --written-since ERA|--since-file FILE "
    "{METADATA ORIGIN | --live NAME} {TARGET | --delta FILE}",
    "Copies the blocks that were written in era ERA or later.",
    {{0, "written-since", "ERA", "copy blocks written in era ERA or later; 0 copies every block"},
     {0, "since-file", "FILE", "copy what was written since last time, which FILE remembers"},
     cli::metadata_snapshot_option("read the metadata snapshot; the device may be live"),
     {0, "live", "NAME", "copy the live era device NAME, by a metadata snapshot of its own"},
     cli::replace_snapshot_option,
     {0, "consistent", nullptr,
      "with --live: copy in rounds, then suspend the device and copy the rest, so that TARGET is "
      "the device at one moment"},
     {0, "max-rest", "SIZE", "suspend when so much is left to copy (64M)"},
     {0, "max-rounds", "N", "copy in N rounds at most before (10)"},
     {0, "max-suspend", "SECONDS", "fail if the suspension lasts longer (30)"},
     {0, "dry-run", nullptr, "with --live: say what would be done, and do nothing"},
     {0, "delta", "FILE", "write a delta stream to FILE, or - for standard output"},
     {0, "commit-since", "FILE", "the delta was applied: let FILE remember that, and do no more"},
     {0, "apply", "FILE", "apply the delta stream FILE, or - for standard input, to TARGET"},
     {0, "skip-equal", nullptr, "read TARGET first, and write only what differs"},
     {0, "verify", nullptr, "read back what was written, and compare"},
     {0, "no-sparse", nullptr, "write zeros as they are, not as holes"},
     {0, "rate", "SIZE", "copy SIZE a second at most"},
     {0, "format", "FORMAT", "report as text (default) or json"},
     cli::progress_option,
     cli::quiet_option},
    3};

void require_with(const cli::arguments& given, const std::vector<std::string>& names,
                  const std::string& with) {
  for (const std::string& name : names) {
    if (given.has(name) && !given.has(with)) {
      std::string message = "option '--";
      message.append(name).append("' goes with --").append(with).append(" only.");
      throw base::usage_error(message);
    }
  }
}

void check_combinations(const cli::arguments& given) {
  given.choice("format", {"text", "json"});
  given.exclude("written-since", {"since-file"});
  given.exclude("live", {"metadata-snapshot"});
  given.exclude("delta", {"skip-equal", "verify", "apply", "consistent"});
  given.exclude("dry-run", {"format"});
  given.exclude("apply", {"written-since", "live", "metadata-snapshot", "consistent", "dry-run"});
  require_with(given, {"replace-snapshot", "consistent", "dry-run"}, "live");
  require_with(given, {"max-rest", "max-rounds", "max-suspend"}, "consistent");
  if (given.value("delta") == "-" && given.has("format")) {
    throw base::usage_error("--format does not go with --delta -, which takes standard output.");
  }
  if (!given.has("written-since") && !given.has("since-file") && !given.has("apply")) {
    throw base::usage_error(
        "Please specify --written-since ERA, the first era that counts, or --since-file FILE.");
  }
}

// The files that are named, which are to be these.
void require_files(const cli::arguments& given, const std::vector<std::string>& wanted) {
  const std::size_t count = given.files().size();
  if (count < wanted.size()) {
    throw base::usage_error("No " + wanted[count] + " provided.");
  }
  if (count > wanted.size()) {
    throw base::usage_error("unexpected argument '" + given.files()[wanted.size()] + "'.");
  }
  for (const std::string& file : given.files()) {
    if (file == "-") {
      throw base::usage_error(
          "-: standard input and output are for deltas; give a device or file.");
    }
  }
}

cli::consistency consistency_of(const cli::arguments& given) {
  constexpr std::uint64_t longest = 86400;  // seconds
  cli::consistency how;
  if (given.has("max-rest")) {
    how.max_rest = given.size("max-rest");
  }
  if (given.has("max-rounds")) {
    how.max_rounds = given.number("max-rounds", UINT32_MAX);
  }
  if (given.has("max-suspend")) {
    how.max_suspend = std::chrono::seconds(given.number("max-suspend", longest));
  }
  return how;
}

void copy_live(const cli::arguments& given, cli::copy_task& task) {
  cli::live_copy live(given, command, task);
  const cli::consistency how = consistency_of(given);
  if (given.has("dry-run")) {
    live.explain(given.has("consistent") ? &how : nullptr);
    return;
  }
  if (given.has("consistent")) {
    live.copy_consistently(how);
  } else {
    live.copy();
  }
  task.report(given.value("live"));
}

// Of a device that is not in use, or by a metadata snapshot.
void copy_files(const cli::arguments& given, cli::copy_task& task) {
  const std::string& origin = given.files()[1];
  cli::metadata_source source(given, command);
  const bool in_use = source.state() == era::metadata_state::snapshot;
  copy::file_end from(cli::open_copy_source(origin, in_use), origin);
  const base::change_watch watch =
      in_use ? base::change_watch() : base::change_watch(from.fd(), origin);
  const era::written_list list = task.list(source.device(), source.state(), from.size());
  source.finish();
  const std::array sources = {base::stat_of(from.fd(), origin), base::stat_path(source.name())};
  task.open(list, sources);
  task.copy(list, from, task.options());
  if (watch.has_changed()) {
    throw base::data_error(origin + ": was changed while it was copied\nStart again.");
  }
  source.finish();
  task.complete(list.facts);
  task.report(origin);
}

cli::exit_status run(const cli::arguments& given) {
  if (given.has("commit-since")) {
    given.exclude("commit-since", {"written-since", "since-file", "live", "delta", "apply"});
    require_files(given, {});
    cli::commit_since_file(given.value("commit-since"));
    return cli::exit_status::success;
  }
  check_combinations(given);
  std::vector<std::string> files;
  if (!given.has("live") && !given.has("apply")) {
    files = {"metadata", "origin"};
  }
  if (!given.has("delta")) {
    files.emplace_back("target");
  }
  require_files(given, files);
  const std::string target = given.has("delta") ? "" : given.files().back();
  if (given.has("apply")) {
    cli::apply_delta(given, command, target);
    return cli::exit_status::success;
  }
  cli::copy_task task(given, command, target);
  if (given.has("live")) {
    copy_live(given, task);
  } else {
    copy_files(given, task);
  }
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, run);
}
