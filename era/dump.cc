#include "era/dump.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/conveyor.h"
#include "base/output.h"
#include "base/print_in_order.h"
#include "base/progress.h"
#include "era/read/contents_reader.h"
#include "era/xml/xml_writer.h"

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

// `count` lines of a window from its line `skip` on, and the tags around them where an element
// begins or ends.
void write_lines(const dump_window& from, std::uint64_t skip, std::uint64_t count,
                 xml_writer& xml) {
  const dump_section& of = *from.of;
  const bool is_writeset = of.what == dump_section::kind::writeset;
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
  piece_cutter(base::conveyor<dump_window>& windows, bool compact)
      : windows_(windows), compact_(compact) {}

  base::text_maker next() {
    if (!present_) {
      present_ = windows_.next();
      done_ = 0;
    }
    if (!present_) {
      return nullptr;
    }
    const std::shared_ptr<dump_window> from = present_;
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

  base::conveyor<dump_window>& windows_;
  bool compact_;
  std::shared_ptr<dump_window> present_;
  std::uint64_t done_ = 0;  // lines of it
};

void write_xml(const metadata& read, dump_reader& contents, bool compact, base::progress& progress,
               base::output& out) {
  base::text text;
  xml_writer xml(text, compact);
  xml.begin_superblock(read.state.data_block_size, read.state.nr_blocks, read.state.current_era);
  out << text.view();
  base::conveyor<dump_window> windows(3, [&](dump_window& into) {
    const bool more = contents.read_next(into);
    progress.at(contents.lines_done(), contents.lines_in_all());
    return more;
  });
  piece_cutter pieces(windows, compact);
  base::print_in_order(out, [&] { return pieces.next(); });
  text.clear();
  xml.end_superblock();
  out << text.view();
}

void verify(era_reader& eras, bool logical) {
  base::progress progress("verifying", true);
  eras.verify(logical ? era_reader::extent::device : era_reader::extent::whole, progress);
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
  verify(eras, options.logical);
  tolerant.be_silent();
  check_snapshot_still_held(reader, read);

  base::progress progress("dumping", true);
  dump_reader contents(read, eras, options.logical);
  write_xml(read, contents, options.compact, progress, out);
  check_snapshot_still_held(reader, read);
  out.commit();
}

}  // namespace era
