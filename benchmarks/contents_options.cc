#include "benchmarks/contents_options.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "base/error.h"
#include "era/format/superblock.h"

namespace bench {
namespace {

std::uint32_t number_or(std::uint32_t otherwise, const cli::arguments& given, const char* name,
                        std::uint64_t max) {
  return given.has(name) ? static_cast<std::uint32_t>(given.number(name, max)) : otherwise;
}

pattern parse_pattern(const cli::arguments& given) {
  const std::string name = given.choice("pattern", {"random", "runs", "hot"});
  return name == "runs" ? pattern::runs : name == "hot" ? pattern::hot : pattern::random;
}

}  // namespace

cli::command with_contents_options(cli::command command) {
  constexpr cli::option of_contents[] = {
      {0, "blocks", "N", "data blocks (1000000)"},
      {0, "block-size", "SECTORS", "sectors of a data block (128)"},
      {0, "eras", "N", "the last era, which is closed (100)"},
      {0, "writesets", "N", "how many of the last eras are not digested (8)"},
      {0, "density", "PERCENT", "how many of the blocks an era wrote (5)"},
      {0, "pattern", "NAME", "which: random (default), runs or hot"},
      {0, "seed", "N", "of the random numbers (1)"}};
  const auto end = std::end(command.options);
  const auto own_end = std::find_if(std::begin(command.options), end,
                                    [](const cli::option& o) { return o.name == nullptr; });
  if (end - own_end < static_cast<std::ptrdiff_t>(std::size(of_contents))) {
    throw std::length_error("more options than a command can have");
  }
  std::copy_backward(std::begin(command.options), own_end, own_end + std::size(of_contents));
  std::copy(std::begin(of_contents), std::end(of_contents), std::begin(command.options));
  return command;
}

contents parse_contents(const cli::arguments& given) {
  contents what;
  what.nr_blocks = number_or(what.nr_blocks, given, "blocks", era::max_data_blocks);
  what.block_size = number_or(what.block_size, given, "block-size", UINT32_MAX);
  what.current_era = number_or(what.current_era, given, "eras", UINT32_MAX - 1);
  what.nr_writesets = number_or(what.nr_writesets, given, "writesets", what.current_era);
  what.density = number_or(what.density, given, "density", 100);
  what.writes = parse_pattern(given);
  what.seed = given.has("seed") ? given.number("seed", UINT64_MAX) : what.seed;
  if (what.block_size == 0 || what.block_size % 8 != 0) {
    throw base::usage_error("option '--block-size': give a positive multiple of 8 sectors.");
  }
  return what;
}

const std::string& output_file(const cli::arguments& given) {
  if (!given.has_input()) {
    throw base::usage_error("No output file provided.");
  }
  return given.input();
}

}  // namespace bench
