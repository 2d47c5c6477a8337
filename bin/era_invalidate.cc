#include <fcntl.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/message.h"
#include "base/storage.h"
#include "bin/command_line.h"
#include "bin/metadata_source.h"
#include "bin/since_file.h"
#include "era/list/list_format.h"

namespace {

constexpr cli::command command{
    "era_invalidate",
    "[options] --written-since ERA|--since-file FILE {device|file | --live NAME}",
    "Lists the blocks that were written in era ERA or later.",
    {{0, "written-since", "ERA",
      "list blocks written in era ERA or later (ERA included); 0 lists every block"},
     {0, "written-before", "ERA", "of these only the ones not written in era ERA or later"},
     {0, "since-file", "FILE", "list what was written since last time, which FILE remembers"},
     {0, "pending", nullptr, "leave FILE as it is until --commit-since"},
     {0, "commit-since", "FILE", "the list was copied: let FILE remember that, and do no more"},
     cli::metadata_snapshot_option("read the metadata snapshot; the device may be live"),
     cli::live_option,
     cli::keep_option,
     cli::replace_snapshot_option,
     cli::output_option,
     {0, "format", "FORMAT",
      "form of the list: xml (default), json, rbd-diff, ddrescue, extentlist, bmap, blocks, "
      "ranges or bitmap"},
     {0, "compact", nullptr, "with json: a pair [begin,length] on each line"},
     {0, "unit", "UNIT", "with json and ranges: count blocks (default), sectors or bytes"},
     {0, "granularity", "SIZE", "list blocks of SIZE instead of the device's (64k, 1M)"},
     {0, "origin", "DEVICE", "end the list where DEVICE, the origin, does"},
     {0, "origin-size", "SIZE", "the same, the origin having SIZE"},
     {0, "summary", nullptr, "print the totals only, as text or, with --format json, as JSON"},
     cli::progress_option}};

const era::list_format& choose_format(const cli::arguments& given) {
  std::vector<std::string> names;
  for (const era::list_format* const format : era::list_formats()) {
    names.emplace_back(format->name);
  }
  const std::string chosen = given.choice("format", names);
  return **std::find_if(era::list_formats().begin(), era::list_formats().end(),
                        [&](const era::list_format* format) { return chosen == format->name; });
}

era::list_style style_of(const cli::arguments& given, const era::list_format& format) {
  const std::string with = std::string("' does not go with --format ") + format.name + ".";
  if (given.has("unit") && !format.can.any_unit) {
    throw base::usage_error("option '--unit" + with);
  }
  if (given.has("compact") && !format.can.compact) {
    throw base::usage_error("option '--compact" + with);
  }
  const std::string unit = given.choice("unit", {"blocks", "sectors", "bytes"});
  return {unit == "blocks"    ? era::list_unit::blocks
          : unit == "sectors" ? era::list_unit::sectors
                              : era::list_unit::bytes,
          given.has("compact")};
}

std::uint32_t era_of(const cli::arguments& given, const std::string& option) {
  return static_cast<std::uint32_t>(given.number(option, UINT32_MAX));
}

era::list_question question_of(const cli::arguments& given) {
  era::list_question question;
  given.exclude("written-since", {"since-file"});
  if (given.has("since-file")) {
    question.last = cli::read_since_file(given.value("since-file"));
    question.since = question.last ? question.last->next_since : 0;
  } else if (given.has("written-since")) {
    question.since = era_of(given, "written-since");
  } else {
    throw base::usage_error(
        "Please specify --written-since ERA, the first era that counts, or --since-file FILE.");
  }
  if (given.has("written-before")) {
    question.before = era_of(given, "written-before");
    if (*question.before <= question.since) {
      throw base::usage_error("--written-before " + std::to_string(*question.before) +
                              " leaves nothing of what was written since era " +
                              std::to_string(question.since) + ".");
    }
  }
  return question;
}

// Options that would be without effect.
void check_combinations(const cli::arguments& given) {
  given.exclude("origin", {"origin-size"});
  if (given.has("pending") && !given.has("since-file")) {
    throw base::usage_error("--pending goes with --since-file.");
  }
  if (given.has("pending") && given.has("summary")) {
    throw base::usage_error("--pending goes with a list, and --summary prints none.");
  }
  const std::string format = given.value("format", "json");
  if (given.has("summary") && format != "json") {
    throw base::usage_error("--summary is text, or JSON with --format json, not " + format + ".");
  }
  if (given.has("summary") && (given.has("unit") || given.has("compact"))) {
    throw base::usage_error("--unit and --compact go with a list, and --summary prints none.");
  }
}

std::uint64_t size_of_device(const std::string& path) {
  const base::file_handle device = base::open_storage(path, {O_RDONLY});
  return base::size_in_bytes(device.fd(), path);
}

// Where the origin ends; a live device says it itself.
std::optional<std::uint64_t> origin_bytes(const cli::arguments& given,
                                          const cli::metadata_source& source) {
  return given.has("origin-size") ? given.size("origin-size")
         : given.has("origin")    ? size_of_device(given.value("origin"))
                                  : source.live_bytes();
}

void apply_sizes(const cli::arguments& given, const cli::metadata_source& source,
                 era::written_list& list) {
  if (const auto bytes = origin_bytes(given, source)) {
    era::end_with_origin(list, *bytes);
  }
  if (given.has("granularity")) {
    era::change_granularity(list, given.size("granularity"));
  }
}

void say_what_changed(const era::list_facts& facts) {
  if (facts.nr_blocks_before) {
    const bool grown = *facts.nr_blocks_before < facts.geometry.nr_blocks;
    base::say(facts.file + ": the device has " + (grown ? "grown" : "shrunk") + " from " +
              std::to_string(*facts.nr_blocks_before) + " to " +
              std::to_string(facts.geometry.nr_blocks) + " data blocks since the last list" +
              (grown ? "; those it has gained are listed" : ""));
  }
}

// Where the era to ask for next goes, if anywhere: not after a summary, which nobody copies by.
std::string state_file_of(const cli::arguments& given) {
  const std::string path = given.value("since-file");
  if (path.empty() || given.has("summary")) {
    return "";
  }
  return given.has("pending") ? cli::pending_file_of(path) : path;
}

void print(const cli::arguments& given, const era::list_format& format,
           const era::styled_list& list, base::output& out, base::progress& progress) {
  if (!given.has("summary")) {
    era::print_list(format, list, out, progress);
  } else if (given.has("format")) {
    era::print_summary_json(list, out);
  } else {
    era::print_summary_text(list, out);
  }
  out.commit();
}

cli::exit_status list_blocks(const cli::arguments& given) {
  cli::require_source(given);
  check_combinations(given);
  const era::list_format& format = choose_format(given);
  const era::list_style style = style_of(given, format);
  const era::list_question question = question_of(given);
  cli::metadata_source source(given, command);
  base::output out(given.value("output", "-"), source.name());
  base::progress_bar progress(cli::when_to_show_progress(given));
  era::metadata_file metadata(source.device());
  era::strict_sink sink(source.name());
  era::styled_list list{
      era::list_written_blocks(metadata, source.state(), question, sink, progress), style};
  apply_sizes(given, source, list);
  source.finish();
  print(given, format, list, out, progress);
  if (const std::string state_file = state_file_of(given); !state_file.empty()) {
    cli::write_since_file(state_file, era::state_after(list.facts));
  }
  say_what_changed(list.facts);
  return cli::exit_status::success;
}

cli::exit_status invalidate(const cli::arguments& given) {
  if (!given.has("commit-since")) {
    return list_blocks(given);
  }
  if (given.has_input() || given.has("live") || given.has("written-since") ||
      given.has("since-file")) {
    throw base::usage_error("--commit-since goes with no list.");
  }
  cli::commit_since_file(given.value("commit-since"));
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, invalidate);
}
