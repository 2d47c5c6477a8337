#include "era/check/check_report.h"

#include "base/number.h"

namespace era {
namespace {

using base::counted;

class text_reporter final : public check_report {
 public:
  text_reporter(base::output& out, std::string file) : out_(out), file_(std::move(file)) {}

  void found(const problem& p) override {
    const problem_row& row = row_of(p.code);
    out_ << severity_name(row.how_bad) << " " << row.name << " " << sentence_of(p) << "\n";
    found_any_ = true;
  }

  void finish(const check_summary& s, const bounded_sink& problems, const std::string&) override {
    for (const problem_row& row : problem_table()) {
      if (const std::uint64_t more = problems.not_shown(row.code)) {
        out_ << severity_name(row.how_bad) << " " << row.name << " ";
        out_.number(more) << " more of these\n";
      }
    }
    out_ << file_ << ": " << counted(s.blocks_read, "metadata block") << " read";
    if (s.superblock_usable) {
      print_state(s);
    }
    out_ << "\n"
         << file_ << ": " << counted(s.errors, "error") << ", "
         << counted(s.nonfatal, "non-fatal error") << ", " << counted(s.remarks, "remark") << "\n";
  }

  void fail(const std::string&) override {
    if (found_any_) {
      out_ << file_ << ": the check ended early, so there may be more\n";
    }
  }

 private:
  void print_state(const check_summary& s) {
    const bool snapshot = s.state == metadata_state::snapshot;
    out_ << (snapshot ? "; metadata snapshot: current era " : "; current era ");
    out_.number(s.found.current_era) << (s.found.current_open() && !snapshot ? " (open), " : ", ");
    out_ << counted(s.found.nr_blocks, "data block") << " of "
         << counted(s.found.data_block_size, "sector") << ", ";
    if (s.archived_writesets) {
      out_ << counted(*s.archived_writesets, "archived writeset") << ", ";
    } else {
      out_ << "archived writesets not read, ";
    }
    if (s.metadata_snap == pd::no_block) {
      out_ << "no metadata snapshot";
    } else {
      out_ << "metadata snapshot in block ";
      out_.number(s.metadata_snap);
    }
    out_ << "\n" << file_ << ": ";
    out_.number(s.space_map.nr_allocated) << " of ";
    out_.number(s.space_map.nr_blocks) << " metadata blocks are in use";
  }

  base::output& out_;
  std::string file_;
  bool found_any_ = false;
};

class json_reporter final : public check_report {
 public:
  json_reporter(base::output& out, const std::string& file) : out_(out), json_(text_) {
    json_.begin_object();
    json_.text("tool", "era_check");
    json_.text("version", ERA_TOOLS_VERSION);
    json_.text("file", file);
    json_.begin_array("problems");
    print();
  }

  void found(const problem& p) override {
    const problem_row& row = row_of(p.code);
    json_.begin_object();
    json_.text("code", row.name);
    json_.text("severity", severity_name(row.how_bad));
    json_.number("block", p.block);
    json_.text("where", describe(p.at));
    json_.text("what", p.what);
    json_.text("consequence", consequence_of(p));
    json_.text("repair", repair_of(p));
    json_.end_object();
    print();
  }

  void finish(const check_summary& s, const bounded_sink& problems,
              const std::string& error) override {
    json_.end_array();
    json_.begin_array("more_problems");
    for (const problem_row& row : problem_table()) {
      if (const std::uint64_t more = problems.not_shown(row.code)) {
        json_.begin_object();
        json_.text("code", row.name);
        json_.number("count", more);
        json_.end_object();
      }
    }
    json_.end_array();
    json_.text("source", s.state == metadata_state::snapshot ? "snapshot" : "live");
    json_.boolean("superblock_usable", s.superblock_usable);
    if (s.superblock_usable) {
      put_state(s);
    }
    json_.number("blocks_read", s.blocks_read);
    json_.number("errors", s.errors);
    json_.number("nonfatal", s.nonfatal);
    json_.number("remarks", s.remarks);
    if (!error.empty()) {
      json_.text("error", error);
    }
    json_.end_object();
    print();
  }

  void fail(const std::string& error) override {
    // A problem may have been half written when memory ran out.
    while (json_.depth() > depth_of_problems) {
      json_.end_object();
    }
    text_.clear();
    json_.end_array();
    json_.text("error", error);
    json_.end_object();
    print();
  }

 private:
  void put_state(const check_summary& s) {
    json_.number("block_size_sectors", s.found.data_block_size);
    json_.number("block_size_bytes", s.found.data_block_size * sector_bytes);
    json_.number("nr_blocks", s.found.nr_blocks);
    json_.number("current_era", s.found.current_era);
    json_.boolean("current_writeset_open",
                  s.state == metadata_state::live && s.found.current_open());
    if (s.archived_writesets) {
      json_.number("archived_writesets", *s.archived_writesets);
    } else {
      json_.null("archived_writesets");
    }
    json_.number("metadata_snapshot", s.metadata_snap);
    json_.number("metadata_blocks_used", s.space_map.nr_allocated);
    json_.number("metadata_blocks_total", s.space_map.nr_blocks);
  }

  static constexpr std::size_t depth_of_problems = 2;

  void print() {
    out_ << text_.view();
    text_.clear();
  }

  base::output& out_;
  base::text text_;  // on its way to out_
  base::json_writer json_;
};

class silent_reporter final : public check_report {
 public:
  void found(const problem&) override {}
  void finish(const check_summary&, const bounded_sink&, const std::string&) override {}
  void fail(const std::string&) override {}
};

}  // namespace

std::unique_ptr<check_report> text_report(base::output& out, const std::string& file) {
  return std::make_unique<text_reporter>(out, file);
}

std::unique_ptr<check_report> json_report(base::output& out, const std::string& file) {
  return std::make_unique<json_reporter>(out, file);
}

std::unique_ptr<check_report> silent_report() {
  return std::make_unique<silent_reporter>();
}

}  // namespace era
