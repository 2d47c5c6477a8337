#include "era/dump.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "base/conveyor.h"
#include "base/output.h"
#include "base/print_in_order.h"
#include "base/progress.h"
#include "era/era_reader.h"
#include "era/xml_writer.h"

namespace era {
namespace {

// Tells once what is lost, and lets the dump go on.
class repair_sink final : public problem_sink {
 public:
  explicit repair_sink(std::string file) : file_(std::move(file)) {}

  void found(const problem& p) override {
    if (silent_ || row_of(p.code).how_bad != severity::error) {
      return;
    }
    const std::string assumed = p.loses() || p.at.in == structure::writeset_tree
                                    ? "; taken as written in the current era"
                                    : "";
    const std::string line = file_ + ": block " + std::to_string(p.block) + ", " + describe(p.at) +
                             ": " + p.what + "; " + consequence_of(p) + assumed + "\n";
    std::fputs(line.c_str(), stderr);
  }

  void be_silent() { silent_ = true; }

 private:
  std::string file_;
  bool silent_ = false;
};

// The lines of one element: the bits of a writeset, or the eras.
struct section {
  enum class kind { writeset, era_array };
  kind what = kind::era_array;
  std::uint64_t nr_lines = 0;

  // Of a writeset.
  std::uint32_t era = 0;
  std::vector<std::size_t> sources;  // writesets of the metadata, whose union it is
  bool with_lost = false;            // and of what was lost
};

// Some of these lines, read.
struct window {
  const section* of = nullptr;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::vector<std::uint64_t> words;
  std::vector<std::uint32_t> eras;
  std::vector<std::uint64_t> one_source;  // scratch
};

// Reads a dump's contents window by window. For one thread.
class window_reader {
 public:
  window_reader(const metadata& read, era_reader& reader, bool logical, base::progress& progress)
      : metadata_(read), reader_(reader), logical_(logical), progress_(progress) {
    if (!logical) {
      plan_writesets();
    }
    section eras;
    eras.nr_lines = read.state.nr_blocks;
    sections_.push_back(eras);
    for (const section& one : sections_) {
      lines_in_all_ += one.nr_lines;
    }
  }

  // False behind the last. Every section has one window at least.
  bool read_next(window& into) {
    if (present_ == sections_.size()) {
      return false;
    }
    const section& from = sections_[present_];
    into.of = &from;
    into.first = next_line_;
    into.count = std::min(era_reader::window, from.nr_lines - next_line_);
    if (from.what == section::kind::writeset) {
      read_bits(into);
    } else {
      read_eras(into);
    }
    next_line_ += into.count;
    lines_done_ += into.count;
    if (next_line_ == from.nr_lines) {
      ++present_;
      next_line_ = 0;
    }
    progress_.at(lines_done_, lines_in_all_);
    return true;
  }

 private:
  // The writesets in the order of their eras. What was lost goes into that of the current era,
  // which is made up where there is none.
  void plan_writesets() {
    const std::uint32_t current_era = metadata_.state.current_era;
    constexpr std::size_t none = SIZE_MAX;
    const std::size_t twin =
        metadata_.has_current ? metadata_.find_archived(current_era).value_or(none) : none;
    bool lost_are_told = reader_.lost_in_writesets().empty();
    for (std::size_t i = 0; i < metadata_.writesets.size(); ++i) {
      const std::uint32_t era = metadata_.writesets[i].era;
      if (twin == i) {
        continue;  // one with the open writeset of the same era, which comes last
      }
      if (!lost_are_told && era > current_era) {
        plan_writeset(current_era, {}, true);
        lost_are_told = true;
      }
      const bool takes_lost = !lost_are_told && era == current_era;
      lost_are_told = lost_are_told || takes_lost;
      if (twin != none && era == current_era) {
        plan_writeset(era, {twin, i}, takes_lost);
      } else {
        plan_writeset(era, {i}, takes_lost);
      }
    }
    if (!lost_are_told) {
      plan_writeset(current_era, {}, true);
    }
  }

  void plan_writeset(std::uint32_t era, std::vector<std::size_t> sources, bool with_lost) {
    std::uint32_t nr_bits = with_lost ? metadata_.state.nr_blocks : 0;
    for (const std::size_t i : sources) {
      nr_bits = std::max(nr_bits, metadata_.writesets[i].nr_bits);
    }
    sections_.push_back({section::kind::writeset, nr_bits, era, std::move(sources), with_lost});
  }

  void read_bits(window& into) {
    into.words.assign(base::ceil_div(into.count, 64), 0);
    for (const std::size_t i : into.of->sources) {
      add_source(into, i);
    }
    if (into.of->with_lost) {
      add_lost(into);
    }
  }

  void add_source(window& into, std::size_t i) {
    const std::uint64_t nr_bits = metadata_.writesets[i].nr_bits;
    if (into.first >= nr_bits) {
      return;
    }
    const std::uint64_t count = std::min(into.count, nr_bits - into.first);
    into.one_source.resize(base::ceil_div(count, 64));
    reader_.writeset_bits(i, into.first, count, into.one_source);
    for (std::size_t word = 0; word < into.one_source.size(); ++word) {
      into.words[word] |= into.one_source[word];
    }
  }

  void add_lost(window& into) {
    const std::uint64_t nr_blocks = metadata_.state.nr_blocks;
    for (const block_range& range : reader_.lost_in_writesets()) {
      const std::uint64_t end = std::min({range.end, into.first + into.count, nr_blocks});
      for (std::uint64_t bit = std::max(range.first, into.first); bit < end; ++bit) {
        into.words[(bit - into.first) / 64] |= std::uint64_t{1} << (bit - into.first) % 64;
      }
    }
  }

  void read_eras(window& into) {
    into.eras.resize(into.count);
    if (logical_) {
      reader_.last_written(into.first, into.eras);
    } else {
      reader_.array_values(into.first, into.eras);
    }
  }

  const metadata& metadata_;
  era_reader& reader_;
  bool logical_;
  base::progress& progress_;
  std::vector<section> sections_;
  std::size_t present_ = 0;  // the section that is being read
  std::uint64_t next_line_ = 0;
  std::uint64_t lines_done_ = 0;
  std::uint64_t lines_in_all_ = 0;
};

// `count` lines of a window from its line `skip` on, and the tags around them where an element
// begins or ends.
void write_lines(const window& from, std::uint64_t skip, std::uint64_t count, xml_writer& xml) {
  const section& of = *from.of;
  const bool is_writeset = of.what == section::kind::writeset;
  const std::uint64_t first = from.first + skip;
  if (first == 0) {
    if (is_writeset) {
      xml.begin_writeset(of.era, static_cast<std::uint32_t>(of.nr_lines));
    } else {
      xml.begin_era_array();
    }
  }
  if (is_writeset) {
    xml.bits(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count),
             std::span(from.words).subspan(skip / 64));
  } else {
    xml.eras(static_cast<std::uint32_t>(first), std::span(from.eras).subspan(skip, count));
  }
  if (first + count == of.nr_lines) {
    if (is_writeset) {
      xml.end_writeset();
    } else {
      xml.end_era_array();
    }
  }
}

// Cuts windows into pieces that several threads can write.
class piece_cutter {
 public:
  piece_cutter(base::conveyor<window>& windows, bool compact)
      : windows_(windows), compact_(compact) {}

  base::text_maker next() {
    if (!present_) {
      present_ = windows_.next();
      done_ = 0;
    }
    if (!present_) {
      return nullptr;
    }
    const std::shared_ptr<window> from = present_;
    const std::uint64_t skip = done_;
    const std::uint64_t count = std::min(lines_in_a_piece, from->count - done_);
    done_ += count;
    if (done_ == from->count) {
      present_.reset();
    }
    return [from, skip, count, compact = compact_](base::text& text) {
      xml_writer xml(text, compact);
      write_lines(*from, skip, count, xml);
    };
  }

 private:
  static constexpr std::uint64_t lines_in_a_piece = 16384;

  base::conveyor<window>& windows_;
  bool compact_;
  std::shared_ptr<window> present_;
  std::uint64_t done_ = 0;  // lines of it
};

void write_xml(const metadata& read, window_reader& contents, bool compact, base::output& out) {
  base::text text;
  xml_writer xml(text, compact);
  xml.begin_superblock(read.state.data_block_size, read.state.nr_blocks, read.state.current_era);
  out << text.view();
  base::conveyor<window> windows(3, [&](window& into) { return contents.read_next(into); });
  piece_cutter pieces(windows, compact);
  base::print_in_order(out, [&] { return pieces.next(); });
  text.clear();
  xml.end_superblock();
  out << text.view();
}

}  // namespace

void dump(const metadata_source& source, const dump_options& options) {
  pd::file_device device = open_metadata(source);
  base::output out(options.output, source.path);
  pd::block_reader reader(device);
  pd::walk_context context(reader);

  strict_sink strict(source.path);
  repair_sink tolerant(source.path);
  problem_sink& sink = options.repair ? static_cast<problem_sink&>(tolerant) : strict;

  const metadata read = load_metadata(context, source, sink);
  era_reader eras(context, read, sink);
  using extent = era_reader::extent;
  eras.verify(options.logical ? extent::device : extent::whole);
  tolerant.be_silent();
  check_snapshot_still_held(reader, read);

  base::progress progress("dumping", true);
  window_reader contents(read, eras, options.logical, progress);
  write_xml(read, contents, options.compact, out);
  check_snapshot_still_held(reader, read);
  out.commit();
}

}  // namespace era
