#include "era/invalidate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <vector>

#include "base/json.h"
#include "base/output.h"
#include "base/print_in_order.h"
#include "era/read/era_reader.h"

namespace era {
namespace {

// Words that are looked at for one piece of text.
constexpr std::uint64_t words_in_a_piece = 1024;

// The blocks that are listed, one bit each. Once made, any thread may ask.
class block_list {
 public:
  block_list(era_reader& reader, std::uint64_t nr_blocks)
      : nr_blocks_(nr_blocks), words_(base::ceil_div(nr_blocks, 64)) {
    reader.written_since(words_);
  }

  std::uint64_t nr_words() const { return words_.size(); }

  // The runs of listed blocks that begin in word i; valid while `room` is.
  using room_for_runs = std::array<block_range, 32>;
  std::span<const block_range> runs_of_word(std::uint64_t i, room_for_runs& room) const {
    const std::uint64_t word = words_[i];
    const std::uint64_t before = i > 0 ? words_[i - 1] >> 63 : 0;
    std::uint64_t ends = ~word & (word << 1 | before);
    if (before != 0) {
      ends &= ends - 1;  // of the run that goes on from the word before, if it ends here
    }
    std::size_t count = 0;
    for (std::uint64_t rest = word & ~(word << 1 | before); rest != 0; rest &= rest - 1) {
      const std::uint64_t first = 64 * i + static_cast<unsigned>(std::countr_zero(rest));
      const std::uint64_t end = 64 * i + static_cast<unsigned>(std::countr_zero(ends));
      room[count++] = {first, ends != 0 ? end : end_of_run(i + 1)};
      ends &= ends - 1;
    }
    return std::span(room).first(count);
  }

  std::uint64_t size() const {
    std::uint64_t count = 0;
    for (const std::uint64_t word : words_) {
      count += static_cast<unsigned>(std::popcount(word));
    }
    return count;
  }

 private:
  // Of one that goes on at the beginning of word i.
  std::uint64_t end_of_run(std::uint64_t i) const {
    while (i < words_.size() && ~words_[i] == 0) {
      ++i;
    }
    return i < words_.size() ? 64 * i + static_cast<unsigned>(std::countr_one(words_[i]))
                             : nr_blocks_;
  }

  std::uint64_t nr_blocks_;
  std::vector<std::uint64_t> words_;
};

// The spaces around the second = are 0.9.0's; parsers in the wild expect them.
class run_writer {
 public:
  // put() may write to so many bytes, though fewer count.
  static constexpr std::size_t longest = 40 + 2 * base::near_numbers::longest;

  // Returns where the text ends.
  char* put(char* at, const block_range& run) {
    if (run.end - run.first == 1) {
      at = put_number(at, "  <block block=\"", run.first);
    } else {
      at = put_number(at, "  <range begin=\"", run.first);
      at = put_number(at, "\" end = \"", run.end);
    }
    constexpr std::string_view behind = "\"/>\n";
    return at + behind.copy(at, behind.size());
  }

 private:
  char* put_number(char* at, std::string_view before, std::uint64_t number) {
    return numbers_.put(at + before.copy(at, before.size()), static_cast<std::uint32_t>(number));
  }

  base::near_numbers numbers_;
};

// Runs that begin in words first to end - 1.
void write_runs(const block_list& blocks, std::uint64_t first, std::uint64_t end, base::text& out) {
  run_writer writer;
  block_list::room_for_runs room;
  for (std::uint64_t i = first; i < end; ++i) {
    char* at = out.room(room.size() * run_writer::longest);
    for (const block_range& run : blocks.runs_of_word(i, room)) {
      at = writer.put(at, run);
    }
    out.end_at(at);
  }
}

void write_xml(const block_list& blocks, base::output& out) {
  out << "<blocks>\n";
  std::uint64_t next = 0;
  base::print_in_order(out, [&]() -> base::text_maker {
    if (next == blocks.nr_words()) {
      return nullptr;
    }
    const std::uint64_t first = next;
    next = std::min(first + words_in_a_piece, blocks.nr_words());
    return [&blocks, first, end = next](base::text& text) { write_runs(blocks, first, end, text); };
  });
  out << "</blocks>\n";
}

// The era to ask for next time. An open era goes on collecting writes; a closed one does not. A
// snapshot holds all before its current era.
std::uint32_t next_since(const metadata& read) {
  const std::uint32_t era = read.state.current_era;
  const bool goes_on = read.snapshot || read.has_current || era == UINT32_MAX;
  return goes_on ? era : era + 1;
}

void write_json(const metadata& read, const invalidate_options& options, const block_list& blocks,
                base::output& out) {
  const std::uint64_t block_bytes = read.state.data_block_size * sector_bytes;
  const std::uint64_t total = blocks.size();
  base::json_writer json(out);
  json.begin_object();
  json.text("tool", "era_invalidate");
  json.text("version", ERA_TOOLS_VERSION);
  json.number("block_size_sectors", read.state.data_block_size);
  json.number("block_size_bytes", block_bytes);
  json.number("nr_blocks", read.state.nr_blocks);
  json.text("source", read.snapshot ? "snapshot" : "live");
  json.boolean("current_writeset_open", read.has_current);
  json.number("current_era", read.state.current_era);
  json.number("written_since", options.written_since);
  json.number("next_since", next_since(read));
  json.number("total_blocks", total);
  json.number("total_bytes", total * block_bytes);
  json.begin_array("ranges");
  block_list::room_for_runs room;
  for (std::uint64_t i = 0; i < blocks.nr_words(); ++i) {
    for (const block_range& run : blocks.runs_of_word(i, room)) {
      json.begin_object();
      json.number("begin", run.first);
      json.number("end", run.end);
      json.end_object();
    }
  }
  json.end_array();
  json.end_object();
}

}  // namespace

void invalidate(const metadata_source& source, const invalidate_options& options) {
  pd::file_device device = open_metadata(source);
  base::output out(options.output, source.path);
  pd::block_reader reader(device);
  pd::walk_context context(reader);
  strict_sink sink(source.path);
  const metadata read = load_metadata(context, source, sink);
  era_reader eras(context, read, sink, options.written_since);
  const block_list blocks(eras, read.state.nr_blocks);
  check_snapshot_still_held(reader, read);

  if (options.format == invalidate_options::form::json) {
    write_json(read, options, blocks, out);
  } else {
    write_xml(blocks, out);
  }
  out.commit();
}

}  // namespace era
