#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/terminal.h"
#include "bin/command_line.h"
#include "bin/metadata_source.h"
#include "era/read/contents_reader.h"
#include "era/report/heat_map.h"
#include "era/report/stat_report.h"

namespace {

constexpr cli::command command{
    "era_stat",
    "[options] {device|file | --live NAME}",
    "Shows when the blocks of an era device were last written.",
    {{0, "format", "FORMAT", "form of the report: text (default) or json"},
     {0, "svg", "FILE",
      "draw a picture of address and era too; - is standard output, without text"},
     {0, "eras", "N", "at most N lines of eras (32 if not given; with json 1000)"},
     {0, "regions", "N", "so many regions of the device (192 if not given)"},
     cli::metadata_snapshot_option("read the metadata snapshot; the device may be live"),
     cli::live_option,
     cli::keep_option,
     cli::replace_snapshot_option,
     cli::output_option,
     cli::progress_option}};

constexpr std::size_t usual_eras_of_json = 1000;
constexpr std::size_t most_eras = 100'000;
constexpr std::size_t most_regions = 256;

std::size_t width_of_output(const cli::arguments& given) {
  const bool is_terminal = given.value("output", "-") == "-" && ::isatty(STDOUT_FILENO) == 1;
  return is_terminal ? base::columns_of_terminal(STDOUT_FILENO) : base::usual_columns;
}

era::statistics_options options_of(const cli::arguments& given, bool as_json) {
  era::statistics_options options;
  options.most_eras = given.positive_number("eras", most_eras)
                          .value_or(as_json ? usual_eras_of_json : options.most_eras);
  options.nr_regions = given.positive_number("regions", most_regions).value_or(options.nr_regions);
  return options;
}

// Whether both names lead to one file that may or may not be there yet. Terminals and /dev/null
// take everything.
bool is_same_output(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  if (std::filesystem::is_character_file(a, ignored)) {
    return false;
  }
  return std::filesystem::equivalent(a, b, ignored) ||
         std::filesystem::weakly_canonical(a, ignored) ==
             std::filesystem::weakly_canonical(b, ignored);
}

// One of the two would be lost.
void require_two_outputs(const std::string& drawing, const std::string& table) {
  if (is_same_output(drawing, table == "-" ? "/dev/stdout" : table)) {
    throw base::usage_error("The picture and the table both go to '" + drawing +
                            "': give each a file of its own, or let --svg - draw alone.");
  }
}

cli::exit_status print(const cli::arguments& given) {
  cli::require_source(given);
  const bool as_json = given.choice("format", {"text", "json"}) == "json";
  const bool only_picture = given.value("svg") == "-";
  if (only_picture) {
    given.exclude("svg", {"format", "output"});
  }
  if (given.has("svg") && !only_picture) {
    require_two_outputs(given.value("svg"), given.value("output", "-"));
  }
  const era::statistics_options options = options_of(given, as_json);
  cli::metadata_source source(given, command);
  base::output out(given.value("output", "-"), source.name());
  std::optional<base::output> drawing;
  if (given.has("svg") && !only_picture) {
    drawing.emplace(given.value("svg"), source.name());
  }
  base::progress_bar progress(cli::when_to_show_progress(given));
  era::metadata_file metadata(source.device());
  era::strict_sink strict(source.name());
  era::statistics_sink statistics(options);
  const era::metadata_standing standing = era::standing_of(metadata, source.state());
  era::send_contents(metadata, {source.state(), true, false}, strict, statistics, progress);
  source.finish();
  if (given.has("svg")) {
    era::print_heat_map(standing, statistics.result(), only_picture ? out : *drawing);
  }
  if (drawing) {
    drawing->commit();
  }
  if (as_json) {
    era::print_statistics_json(standing, statistics.result(), out);
  } else if (!only_picture) {
    era::print_statistics_text(standing, statistics.result(), width_of_output(given), out);
  }
  out.commit();
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, print);
}
