#include "era/invalidate.h"

#include <algorithm>
#include <bit>

#include "base/json.h"
#include "base/output.h"
#include "era/era_reader.h"

namespace era {
namespace {

// The blocks that are listed, one bit each.
class block_list {
 public:
  block_list(era_reader& reader, std::uint64_t nr_blocks)
      : nr_blocks_(nr_blocks), words_(base::ceil_div(nr_blocks, 64)) {
    for (std::uint64_t first = 0; first < nr_blocks; first += era_reader::window) {
      const std::uint64_t count = std::min(era_reader::window, nr_blocks - first);
      reader.written_since(first, count,
                           std::span(words_).subspan(first / 64, base::ceil_div(count, 64)));
    }
  }

  // The first run of listed blocks at `from` or later; an empty one at the end if there is none.
  block_range next_run(std::uint64_t from) const {
    const std::uint64_t first = find(from, true);
    return {first, find(first, false)};
  }

  std::uint64_t size() const {
    std::uint64_t count = 0;
    for (const std::uint64_t word : words_) {
      count += static_cast<unsigned>(std::popcount(word));
    }
    return count;
  }

 private:
  // The first block at `from` or later that is listed, or that is not.
  std::uint64_t find(std::uint64_t from, bool listed) const {
    const std::uint64_t flip = listed ? 0 : ~std::uint64_t{0};
    std::uint64_t skip = ~std::uint64_t{0} << from % 64;
    for (std::uint64_t i = from / 64; i < words_.size(); ++i) {
      if (const std::uint64_t word = (words_[i] ^ flip) & skip; word != 0) {
        return std::min(nr_blocks_, 64 * i + static_cast<unsigned>(std::countr_zero(word)));
      }
      skip = ~std::uint64_t{0};
    }
    return nr_blocks_;
  }

  std::uint64_t nr_blocks_;
  std::vector<std::uint64_t> words_;
};

// The spaces around the second = are 0.9.0's; parsers in the wild expect them.
void write_xml(const block_list& blocks, base::output& out) {
  out << "<blocks>\n";
  for (block_range run = blocks.next_run(0); run.first < run.end; run = blocks.next_run(run.end)) {
    if (run.end - run.first == 1) {
      out << "  <block block=\"";
      out.number(run.first) << "\"/>\n";
    } else {
      out << "  <range begin=\"";
      out.number(run.first) << "\" end = \"";
      out.number(run.end) << "\"/>\n";
    }
  }
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
  for (block_range run = blocks.next_run(0); run.first < run.end; run = blocks.next_run(run.end)) {
    json.begin_object();
    json.number("begin", run.first);
    json.number("end", run.end);
    json.end_object();
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
