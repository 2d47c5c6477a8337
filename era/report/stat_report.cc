#include "era/report/stat_report.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/number.h"
#include "base/text.h"

namespace era {
namespace {

constexpr std::size_t nr_extremes = 5;  // hottest and coldest regions that are shown

std::string one_decimal(double value) {
  const auto tenths = static_cast<std::uint64_t>(std::llround(value * 10));
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

std::string eras_of(const era_bins::bin& bin) {
  const std::string first = std::to_string(bin.first);
  return bin.first == bin.last ? first : first + "-" + std::to_string(bin.last);
}

std::string padded(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

// Blocks that are copied when one asks for what was written since the first era of a bin.
struct era_row {
  std::string eras;
  std::uint64_t blocks = 0;
  std::uint64_t since = 0;
};

// The latest first.
std::vector<era_row> rows_of(const era_statistics& found) {
  std::vector<era_row> rows;
  std::uint64_t since = 0;
  for (auto bin = found.eras.rbegin(); bin != found.eras.rend(); ++bin) {
    since += bin->blocks.front();
    rows.push_back({eras_of(*bin), bin->blocks.front(), since});
  }
  return rows;
}

void print_row(const std::string& eras, const std::string& blocks, const std::string& bytes,
               const std::string& share, const std::string& since, const std::string& bar,
               base::output& out) {
  out << padded(eras, 21) << padded(blocks, 12) << padded(bytes, 8) << padded(share, 9)
      << padded(since, 10);
  if (!bar.empty()) {
    out << "  " << bar;
  }
  out << "\n";
}

void print_eras(const era_statistics& found, std::size_t width, base::output& out) {
  constexpr std::size_t columns_before_bar = 62;
  const std::vector<era_row> rows = rows_of(found);
  std::uint64_t most = found.never;
  for (const era_row& row : rows) {
    most = std::max(most, row.blocks);
  }
  const auto bar = [&](std::uint64_t blocks) {
    const std::uint64_t longest = width - columns_before_bar;
    return blocks == 0 ? "" : std::string(std::max<std::uint64_t>(1, blocks * longest / most), '#');
  };
  const std::uint64_t all = found.facts.nr_blocks;
  print_row("last written in era", "blocks", "bytes", "share", "and since", "", out);
  for (const era_row& row : rows) {
    print_row(row.eras, std::to_string(row.blocks),
              base::short_size(row.blocks * found.block_bytes()), base::percent(row.blocks, all),
              base::short_size(row.since * found.block_bytes()), bar(row.blocks), out);
  }
  print_row("never", std::to_string(found.never),
            base::short_size(found.never * found.block_bytes()), base::percent(found.never, all),
            base::short_size(found.device_bytes()), bar(found.never), out);
}

// Neighbours that are equally hot are one.
std::vector<region> joined(const std::vector<region>& regions) {
  std::vector<region> all;
  for (const region& one : regions) {
    if (!all.empty() && all.back().mean_era() == one.mean_era()) {
      region& before = all.back();
      before.end = one.end;
      before.written += one.written;
      before.sum_of_eras += one.sum_of_eras;
    } else {
      all.push_back(one);
    }
  }
  return all;
}

// Of two that are equally hot the larger comes first, then that which is first on the device.
void sort_by_heat(std::vector<region>& regions, bool hottest_first) {
  std::stable_sort(regions.begin(), regions.end(), [&](const region& a, const region& b) {
    if (a.mean_era() != b.mean_era()) {
      return (a.mean_era() > b.mean_era()) == hottest_first;
    }
    return a.end - a.first > b.end - b.first;
  });
}

void print_region(const era_statistics& found, const region& one, base::output& out) {
  const std::string first = base::short_size(one.first * found.block_bytes());
  const std::string end = base::short_size(one.end * found.block_bytes());
  const std::string last = one.end - one.first == 1 ? "" : "-" + std::to_string(one.end - 1);
  out << padded((last.empty() ? "block " : "blocks ") + std::to_string(one.first) + last, 28) << " "
      << padded(first + " to " + end, 14) << " "
      << padded(base::percent(one.written, one.end - one.first) + " written", 15) << " "
      << padded("era " + one_decimal(one.mean_era()), 16) << "\n";
}

void print_regions(const era_statistics& found, base::output& out) {
  std::vector<region> left = joined(found.regions);
  if (left.size() < 2) {
    return;
  }
  out << "\nhottest of " << base::counted(found.regions.size(), "region")
      << ", by the mean era of their blocks:\n";
  sort_by_heat(left, true);
  const auto end_of_hottest =
      left.begin() + static_cast<std::ptrdiff_t>(std::min(nr_extremes, (left.size() + 1) / 2));
  for (auto one = left.begin(); one != end_of_hottest; ++one) {
    print_region(found, *one, out);
  }
  left.erase(left.begin(), end_of_hottest);
  sort_by_heat(left, false);
  left.resize(std::min(nr_extremes, left.size()));
  out << "coldest:\n";
  for (const region& one : left) {
    print_region(found, one, out);
  }
}

std::string undigested(const metadata_standing& standing) {
  if (standing.archived.empty()) {
    return "no eras to be digested";
  }
  const std::uint32_t first = standing.archived.front().era;
  const std::uint32_t last = standing.archived.back().era;
  return base::counted(standing.archived.size(), "era") + " to be digested (" +
         std::to_string(first) + (first == last ? "" : " to " + std::to_string(last)) + ")";
}

void print_standing(const metadata_standing& standing, const era_statistics& found,
                    base::output& out) {
  out << standing.file << (standing.is_snapshot ? ", metadata snapshot" : "") << ": era "
      << std::to_string(found.facts.current_era) << (standing.current_open ? " (open)" : "") << ", "
      << base::counted(found.facts.nr_blocks, "data block") << " of "
      << base::short_size(found.block_bytes()) << " (" << base::short_size(found.device_bytes())
      << ")\n"
      << std::to_string(standing.used_blocks()) << " of "
      << base::counted(standing.total_blocks(), "metadata block") << " in use ("
      << base::percent(standing.used_blocks(), standing.total_blocks()) << "), "
      << (standing.holds_snapshot() ? "a" : "no") << " metadata snapshot\n"
      << undigested(standing) << "\n\n";
}

void put_counts(base::json_writer& json, const era_statistics& found) {
  json.begin_array("eras");
  std::uint64_t since = 0;
  for (const era_bins::bin& bin : found.eras) {
    since += bin.blocks.front();
  }
  for (const era_bins::bin& bin : found.eras) {
    json.begin_object();
    json.number("first_era", bin.first);
    json.number("last_era", bin.last);
    json.number("blocks", bin.blocks.front());
    json.number("bytes", bin.blocks.front() * found.block_bytes());
    json.number("blocks_since", since);
    json.number("bytes_since", since * found.block_bytes());
    json.end_object();
    since -= bin.blocks.front();
  }
  json.end_array();
}

void put_regions(base::json_writer& json, const era_statistics& found) {
  json.begin_array("regions");
  for (const region& one : found.regions) {
    json.begin_object();
    json.number("first_block", one.first);
    json.number("end_block", one.end);
    json.number("written_blocks", one.written);
    json.number("sum_of_eras", one.sum_of_eras);
    json.end_object();
  }
  json.end_array();
}

void put_standing(base::json_writer& json, const metadata_standing& standing) {
  json.text("source", standing.is_snapshot ? "snapshot" : "live");
  json.boolean("current_writeset_open", standing.current_open);
  json.number("metadata_blocks_used", standing.used_blocks());
  json.number("metadata_blocks_total", standing.total_blocks());
  json.boolean("metadata_snapshot", standing.holds_snapshot());
  json.begin_array("undigested");
  for (const writeset& set : standing.archived) {
    json.begin_object();
    json.number("era", set.era);
    json.number("nr_bits", set.nr_bits);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void print_statistics_text(const metadata_standing& standing, const era_statistics& found,
                           std::size_t width, base::output& out) {
  print_standing(standing, found, out);
  print_eras(found, std::max<std::size_t>(width, 80), out);
  print_regions(found, out);
}

void print_statistics_json(const metadata_standing& standing, const era_statistics& found,
                           base::output& out) {
  base::text text;
  base::json_writer json(text);
  json.begin_object();
  json.text("tool", "era_stat");
  json.text("version", ERA_TOOLS_VERSION);
  json.text("file", standing.file);
  json.number("current_era", found.facts.current_era);
  json.number("block_size_sectors", found.facts.block_size);
  json.number("block_size_bytes", found.block_bytes());
  json.number("nr_blocks", found.facts.nr_blocks);
  put_standing(json, standing);
  put_counts(json, found);
  json.number("never_written_blocks", found.never);
  put_regions(json, found);
  json.end_object();
  out << text.view();
}

}  // namespace era
