#include "era/report/size_report.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"
#include "base/number.h"
#include "base/text.h"
#include "era/format/superblock.h"

namespace era {
namespace {

using pd::block_nr;

std::uint64_t bytes_of(block_nr blocks) {
  return blocks * pd::block_size;
}

std::string both(block_nr blocks) {
  return base::counted(blocks, "block") + ", " + std::to_string(bytes_of(blocks)) + " bytes (" +
         base::short_size(bytes_of(blocks)) + ")";
}

bool can_be_had(const size_answer& found) {
  return found.nr_blocks <= max_data_blocks && found.sizes.in_use <= pd::max_metadata_blocks;
}

size_answer answer_or_none(const size_question& question, std::uint64_t block_bytes) {
  size_answer found{block_bytes, base::ceil_div(question.device_bytes, block_bytes), {}};
  if (found.nr_blocks <= max_data_blocks) {
    found.sizes = sizes_of({found.nr_blocks, question.writesets, question.snapshot});
    found.sizes.recommended = std::min(found.sizes.recommended, pd::max_metadata_blocks);
  }
  return found;
}

std::string demand_of(std::uint64_t writesets, bool snapshot) {
  return base::counted(writesets, "undigested writeset") +
         (snapshot ? " and a metadata snapshot" : "");
}

constexpr std::size_t nr_columns = 6;
using columns = std::array<std::string, nr_columns>;

columns columns_of(const size_answer& found) {
  return {base::short_size(found.block_bytes),
          std::to_string(found.nr_blocks),
          base::short_size(bytes_of(found.sizes.to_restore)),
          base::short_size(bytes_of(found.sizes.in_use)),
          base::short_size(bytes_of(found.sizes.recommended)),
          base::short_size(kernel_memory(found.nr_blocks))};
}

void print_rows(const std::vector<columns>& rows, base::output& out) {
  std::array<std::size_t, nr_columns> widths{};
  for (const columns& one : rows) {
    for (std::size_t i = 0; i < nr_columns; ++i) {
      widths[i] = std::max(widths[i], one[i].size());
    }
  }
  for (const columns& one : rows) {
    for (std::size_t i = 0; i < nr_columns; ++i) {
      out << std::string(widths[i] - one[i].size() + (i == 0 ? 0 : 2), ' ') << one[i];
    }
    out << "\n";
  }
}

void put_size(base::json_writer& json, std::string_view name, block_nr blocks) {
  json.begin_object(name);
  json.number("blocks", blocks);
  json.number("bytes", bytes_of(blocks));
  json.end_object();
}

void put_answer(base::json_writer& json, const size_answer& found) {
  json.begin_object();
  json.number("block_size", found.block_bytes);
  json.number("nr_blocks", found.nr_blocks);
  put_size(json, "to_restore", found.sizes.to_restore);
  put_size(json, "in_use", found.sizes.in_use);
  put_size(json, "recommended", found.sizes.recommended);
  json.number("kernel_memory", kernel_memory(found.nr_blocks));
  json.end_object();
}

void begin_document(base::json_writer& json) {
  json.begin_object();
  json.text("tool", "era_metadata_size");
  json.text("version", ERA_TOOLS_VERSION);
}

// What the metadata has room for, whatever is written when.
struct forecast {
  std::optional<std::uint64_t> alone;          // writesets
  std::optional<std::uint64_t> with_snapshot;  // the same, a metadata snapshot being held
  metadata_sizes wanted;

  bool is_enough(const metadata_use& use) const { return wanted.in_use <= use.total; }
};

forecast forecast_of(const metadata_use& use) {
  return {writesets_within(use.total, use.nr_blocks, false),
          writesets_within(use.total, use.nr_blocks, true),
          sizes_of({use.nr_blocks, use.writesets, use.is_for_snapshot})};
}

std::string room_for(const std::optional<std::uint64_t>& writesets) {
  return writesets ? "at most " + base::counted(*writesets, "undigested writeset")
                   : "not enough room";
}

void put_count(base::json_writer& json, std::string_view name,
               const std::optional<std::uint64_t>& count) {
  if (count) {
    json.number(name, *count);
  } else {
    json.null(name);
  }
}

}  // namespace

size_answer answer(const size_question& question, std::uint64_t block_bytes) {
  size_answer found = answer_or_none(question, block_bytes);
  const std::string device = "A device of " + std::to_string(question.device_bytes) + " bytes";
  if (found.nr_blocks > max_data_blocks) {
    throw base::data_error(device + " has " + std::to_string(found.nr_blocks) + " data blocks of " +
                           base::short_size(block_bytes) + ", and dm-era can count " +
                           std::to_string(max_data_blocks) + "\nTake larger blocks.");
  }
  if (!can_be_had(found)) {
    throw base::data_error(device + " needs " + std::to_string(found.sizes.in_use) +
                           " metadata blocks with data blocks of " + base::short_size(block_bytes) +
                           ", and dm-era uses " + std::to_string(pd::max_metadata_blocks) +
                           " at most\nTake larger blocks, or fewer writesets.");
  }
  return found;
}

std::vector<size_answer> answers_of_all(const size_question& question) {
  constexpr std::uint64_t smallest = 4096;
  constexpr std::uint64_t largest = 4194304;
  std::vector<size_answer> all;
  for (std::uint64_t size = smallest; size <= largest; size *= 2) {
    if (const size_answer found = answer_or_none(question, size); can_be_had(found)) {
      all.push_back(found);
    }
  }
  if (all.empty()) {
    answer(question, largest);  // says why
  }
  return all;
}

void print_size_text(const size_question& question, const size_answer& found, base::output& out) {
  out << "device:        " << std::to_string(question.device_bytes) << " bytes ("
      << base::short_size(question.device_bytes) << "), "
      << base::counted(found.nr_blocks, "data block") << " of "
      << base::short_size(found.block_bytes) << "\n"
      << "room for:      " << demand_of(question.writesets, question.snapshot) << "\n"
      << "to restore:    " << both(found.sizes.to_restore) << "\n"
      << "in use:        " << both(found.sizes.in_use) << "\n"
      << "recommended:   " << both(found.sizes.recommended) << "\n"
      << "kernel memory: " << std::to_string(kernel_memory(found.nr_blocks)) << " bytes ("
      << base::short_size(kernel_memory(found.nr_blocks)) << ")\n";
}

void print_size_table(const size_question& question, const std::vector<size_answer>& found,
                      base::output& out) {
  out << "Metadata of a device of " << base::short_size(question.device_bytes) << " with room for "
      << demand_of(question.writesets, question.snapshot) << ":\n\n";
  std::vector<columns> rows = {
      {"block size", "data blocks", "to restore", "in use", "recommended", "kernel memory"}};
  std::transform(found.begin(), found.end(), std::back_inserter(rows), columns_of);
  print_rows(rows, out);
}

void print_sizes_json(const size_question& question, const std::vector<size_answer>& found,
                      base::output& out) {
  base::text text;
  base::json_writer json(text);
  begin_document(json);
  json.number("device_size", question.device_bytes);
  json.number("writesets", question.writesets);
  json.boolean("snapshot", question.snapshot);
  json.begin_array("sizes");
  for (const size_answer& one : found) {
    put_answer(json, one);
  }
  json.end_array();
  json.end_object();
  out << text.view();
}

void print_use_text(const metadata_use& use, base::output& out) {
  const forecast room = forecast_of(use);
  out << use.name << ": " << std::to_string(use.used) << " of "
      << base::counted(use.total, "metadata block") << " in use ("
      << base::percent(use.used, use.total) << "), " << std::to_string(use.total - use.used)
      << " free\n";
  out << "era " << std::to_string(use.current_era);
  if (use.archived) {
    out << ", " << base::counted(*use.archived, "writeset") << " to be digested";
  }
  out << (use.snapshot ? ", a metadata snapshot is held\n" : ", no metadata snapshot\n");
  out << base::counted(use.nr_blocks, "data block") << " of " << base::short_size(use.block_bytes)
      << "\nroom, if every block is written in every era:\n"
      << "  without a metadata snapshot: " << room_for(room.alone) << "\n"
      << "  with one:                    " << room_for(room.with_snapshot) << "\n";
  out << "for " << demand_of(use.writesets, use.is_for_snapshot) << ": "
      << (room.is_enough(use) ? "large enough" : "too small") << "; " << both(room.wanted.in_use)
      << " are needed, " << both(room.wanted.recommended) << " recommended\n";
}

void print_use_json(const metadata_use& use, base::output& out) {
  const forecast room = forecast_of(use);
  base::text text;
  base::json_writer json(text);
  begin_document(json);
  json.text("metadata", use.name);
  json.number("used_blocks", use.used);
  json.number("total_blocks", use.total);
  json.number("current_era", use.current_era);
  put_count(json, "archived_writesets", use.archived);
  json.boolean("snapshot", use.snapshot);
  json.number("block_size", use.block_bytes);
  json.number("nr_blocks", use.nr_blocks);
  json.begin_object("most_writesets");
  put_count(json, "without_snapshot", room.alone);
  put_count(json, "with_snapshot", room.with_snapshot);
  json.end_object();
  json.number("writesets", use.writesets);
  json.boolean("with_snapshot", use.is_for_snapshot);
  put_size(json, "in_use", room.wanted.in_use);
  put_size(json, "recommended", room.wanted.recommended);
  json.boolean("large_enough", room.is_enough(use));
  json.end_object();
  out << text.view();
}

}  // namespace era
