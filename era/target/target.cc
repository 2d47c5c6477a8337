#include "era/target/target.h"

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "base/bytes.h"
#include "base/number.h"
#include "base/text.h"

namespace era {
namespace {

constexpr std::uint64_t max_sectors = UINT64_MAX / 512;

constexpr std::string_view blanks = " \t\r\n\v\f";

// Not by a stream, which takes a lack of memory for the end of the text.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = text.find_first_not_of(blanks); at != std::string_view::npos;
       at = text.find_first_not_of(blanks, at)) {
    const std::size_t end = std::min(text.find_first_of(blanks, at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

bool is_write(request::kind what) {
  return what == request::kind::write || what == request::kind::write_zeroes ||
         what == request::kind::discard;
}

// Only reads and writes carry data, and then for every sector.
void require_its_data(const request& wanted) {
  const std::uint64_t bytes = wanted.nr_sectors * sector_bytes;
  const bool right = wanted.into.size() == (wanted.what == request::kind::read ? bytes : 0) &&
                     wanted.from.size() == (wanted.what == request::kind::write ? bytes : 0);
  if (!right) {
    throw std::invalid_argument("a request of " + std::to_string(wanted.nr_sectors) +
                                " sectors comes with " + std::to_string(wanted.into.size()) +
                                " bytes to read into and " + std::to_string(wanted.from.size()) +
                                " to write");
  }
}

// The sectors of `whole` from `first` up to `end`, both within it.
request part_of(const request& whole, std::uint64_t first, std::uint64_t end) {
  request part = whole;
  part.sector = first;
  part.nr_sectors = end - first;
  if (!whole.from.empty()) {
    part.from =
        whole.from.subspan((first - whole.sector) * sector_bytes, part.nr_sectors * sector_bytes);
  }
  return part;
}

std::string status_head(std::uint64_t length) {
  return "0 " + std::to_string(length) + " era ";
}

}  // namespace

std::string status_line(std::uint64_t length, pd::block_nr used, pd::block_nr total,
                        const superblock& current) {
  const std::string snapshot =
      current.metadata_snap == pd::no_block ? "-" : std::to_string(current.metadata_snap);
  return status_head(length) + std::to_string(metadata_block_sectors) + " " + std::to_string(used) +
         "/" + std::to_string(total) + " " + std::to_string(current.current_era) + " " + snapshot;
}

table_line parse_table_line(std::string_view line) {
  const std::vector<std::string> words = words_of(line);
  if (words.size() < 3) {
    throw refused("Invalid table line",
                  "expected <start> <length> era <metadata dev> <origin dev> <block size>");
  }
  if (base::parse_number(words[0], 0) != 0) {
    throw refused("Invalid table line", "the table must start at sector 0, not '" + words[0] + "'");
  }
  const auto length = base::parse_number(words[1], max_sectors);
  if (!length || *length == 0) {
    throw refused(
        "Invalid table line",
        "'" + words[1] + "' is not a length in sectors, from 1 to " + std::to_string(max_sectors));
  }
  if (words[2] != "era") {
    throw refused("unknown target type", words[2]);
  }
  if (words.size() != 6) {
    throw refused(
        "Invalid argument count",
        "after the word era, <metadata dev> <origin dev> <block size> are expected, not " +
            base::counted(words.size() - 3, "word"));
  }
  return {*length, words[3], words[4], words[5]};
}

target_message parse_message(std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  if (words.size() != 1) {
    throw refused("incorrect number of message arguments",
                  "a message is one word, not " + std::to_string(words.size()));
  }
  const std::string wanted = base::in_lower_case(words[0]);
  if (wanted == "checkpoint") {
    return target_message::checkpoint;
  }
  if (wanted == "take_metadata_snap") {
    return target_message::take_metadata_snap;
  }
  if (wanted == "drop_metadata_snap") {
    return target_message::drop_metadata_snap;
  }
  throw refused("unsupported message '" + words[0] + "'");
}

target::target(const table_line& table, device_finder& devices) : table_(table) {
  try {
    metadata_device_ = &devices.metadata(table.metadata);
  } catch (const base::io_error& e) {
    std::throw_with_nested(refused("Error opening metadata device", e.what()));
  }
  try {
    origin_ = &devices.origin(table.origin);
  } catch (const base::io_error& e) {
    std::throw_with_nested(refused("Error opening data device", e.what()));
  }
  const auto block_size = base::parse_number(table.block_size, UINT64_MAX);
  if (!block_size) {
    throw refused("Error parsing block size", "'" + table.block_size + "' is not a number");
  }
  if (*block_size == 0 || *block_size > UINT32_MAX || *block_size % metadata_block_sectors != 0) {
    throw refused("Invalid block size", table.block_size +
                                            " sectors are not a positive multiple of " +
                                            std::to_string(metadata_block_sectors) + " below 2^32");
  }
  block_size_ = static_cast<std::uint32_t>(*block_size);
  nr_blocks_ = base::ceil_div(table.length, block_size_);
  if (nr_blocks_ > max_data_blocks) {
    throw refused("Invalid block size", "the device would have " + std::to_string(nr_blocks_) +
                                            " data blocks, more than " +
                                            std::to_string(max_data_blocks));
  }
  if (origin_->nr_sectors() < table.length) {
    throw refused("Error opening data device", origin_->name() + ": too small for target: " +
                                                   std::to_string(origin_->nr_sectors()) +
                                                   " sectors of " + std::to_string(table.length));
  }
  open_metadata();
}

void target::open_metadata() {
  try {
    metadata_ = std::make_unique<live_metadata>(*metadata_device_, block_size_);
  } catch (const base::error& e) {
    std::throw_with_nested(refused("Error reading metadata", e.what()));
  }
  const std::uint32_t stored = metadata_->current_superblock().data_block_size;
  if (stored != block_size_) {
    throw refused("Error reading metadata", "changing the data block size (from " +
                                                std::to_string(stored) + " to " +
                                                std::to_string(block_size_) + ") is not supported");
  }
}

void target::require_running() const {
  if (!running_) {
    throw refused(
        "the target is suspended: it takes no request, message or status before "
        "it is resumed");
  }
}

void target::resume() {
  if (running_) {
    return;
  }
  if (!metadata_->failed() && !metadata_->is_last_commit_on_device()) {
    open_metadata();
  }
  if (metadata_->current_superblock().nr_blocks != nr_blocks_) {
    metadata_->resize(static_cast<std::uint32_t>(nr_blocks_));
  }
  begin_era();
  running_ = true;
}

// If it fails the marks of the present era stay good, so that writes to marked blocks go on: but
// not if the commit might have come through after all, since then they belong to an era that is
// over.
void target::begin_era() {
  const std::uint32_t present = current_era();
  try {
    metadata_->begin_era();
  } catch (...) {
    if (metadata_->era_on_device() != present) {
      forget_marks();
    }
    throw;
  }
  forget_marks();
}

void target::forget_marks() {
  marked_.assign(nr_blocks_, false);
  has_marks_ = false;
}

bool target::is_marked(const block_range& blocks) const {
  return marked_[blocks.first] && end_of_run(blocks.first, blocks.end) == blocks.end;
}

void target::note_marked(std::span<const block_range> ranges) {
  for (const block_range& range : ranges) {
    std::fill(marked_.begin() + static_cast<std::ptrdiff_t>(range.first),
              marked_.begin() + static_cast<std::ptrdiff_t>(range.end), true);
    has_marks_ = true;
  }
}

void target::suspend() {
  if (!running_) {
    return;
  }
  running_ = false;
  work();
  metadata_->end_era();
}

void target::map(const request& wanted) {
  require_running();
  if (wanted.sector > table_.length || wanted.nr_sectors > table_.length - wanted.sector) {
    throw refused("the request goes beyond the end of the device, sector " +
                  std::to_string(table_.length));
  }
  require_its_data(wanted);
  if (is_write(wanted.what) && wanted.nr_sectors > 0) {
    map_write(wanted);
  } else {
    send(wanted);
  }
}

// A discard is one request to the end, and marks the block it begins in; other writes are cut where
// marked blocks end and unmarked ones begin.
void target::map_write(const request& wanted) {
  const std::uint64_t first = wanted.sector / block_size_;
  if (wanted.what == request::kind::discard) {
    map_run(wanted, {first, first + 1}, marked_[first]);
    return;
  }
  const std::uint64_t end_sector = wanted.sector + wanted.nr_sectors;
  const std::uint64_t end = base::ceil_div(end_sector, block_size_);
  for (std::uint64_t block = first; block < end;) {
    const std::uint64_t run_end = end_of_run(block, end);
    const request part = part_of(wanted, std::max(wanted.sector, block * block_size_),
                                 std::min(end_sector, run_end * block_size_));
    map_run(part, {block, run_end}, marked_[block]);
    block = run_end;
  }
}

std::uint64_t target::end_of_run(std::uint64_t first, std::uint64_t end) const {
  const auto begin = marked_.begin();
  const auto at = static_cast<std::ptrdiff_t>(first);
  const auto limit = static_cast<std::ptrdiff_t>(end);
  return static_cast<std::uint64_t>(std::find(begin + at, begin + limit, !marked_[first]) - begin);
}

void target::map_run(const request& wanted, const block_range& run, bool marked) {
  if (marked) {
    send(wanted);
  } else {
    waiting_.push_back({wanted, run});
  }
}

void target::work() {
  if (waiting_.empty()) {
    return;
  }
  const std::vector<waiting_write> ready = std::move(waiting_);
  waiting_.clear();
  std::vector<block_range> ranges;
  ranges.reserve(ready.size());
  for (const waiting_write& write : ready) {
    ranges.push_back(write.blocks);
  }
  commit_marks(ranges);
  note_marked(ranges);
  for (const waiting_write& write : ready) {
    send(write.part);
  }
}

void target::send(const request& part) {
  switch (part.what) {
    case request::kind::read:
      return origin_->read(part.sector, part.into);
    case request::kind::write:
      return origin_->write(part.sector, part.from);
    case request::kind::write_zeroes:
      return origin_->write_zeroes(part.sector, part.nr_sectors);
    case request::kind::discard:
      return origin_->discard(part.sector, part.nr_sectors);
    case request::kind::flush:
      return origin_->flush();
  }
}

bool target::step() {
  require_running();
  return metadata_->digest_step();
}

void target::commit() {
  require_running();
  metadata_->commit();
}

void target::message(std::string_view text) {
  require_running();
  work();
  const target_message wanted = parse_message(text);
  const bool has_snapshot = metadata_->current_superblock().metadata_snap != pd::no_block;
  switch (wanted) {
    case target_message::checkpoint:
      return begin_era();
    case target_message::take_metadata_snap:
      if (has_snapshot) {
        throw refused("metadata snapshot already exists");
      }
      begin_era();
      return metadata_->take_snapshot();
    case target_message::drop_metadata_snap:
      if (!has_snapshot) {
        throw refused("no snap to drop");
      }
      return metadata_->drop_snapshot();
  }
}

std::string target::status_info() {
  require_running();
  work();
  const std::string line = status_line(table_.length, metadata_->used_blocks(),
                                       metadata_->total_blocks(), metadata_->current_superblock());
  try {
    metadata_->commit();
  } catch (const base::error&) {
    return status_head(table_.length) + "Error";
  }
  return line;
}

std::string target::status_table() const {
  return "0 " + std::to_string(table_.length) + " era " + table_.metadata + " " + table_.origin +
         " " + table_.block_size;
}

}  // namespace era
