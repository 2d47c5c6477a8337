#include "era/check/check_report.h"

#include "base/number.h"
#include "era/check/problem_document.h"

namespace era {
namespace {

using base::counted;

class text_reporter final : public check_report {
 public:
  text_reporter(base::output& out, std::string file) : out_(out), file_(std::move(file)) {}

  void found(const problem& p) override {
    out_ << line_of(p) << "\n";
    found_any_ = true;
  }

  void finish(const check_summary& s, const bounded_sink& problems, const std::string&) override {
    print_more(out_, problems);
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
  json_reporter(base::output& out, const std::string& file)
      : document_(out, {{"tool", "era_check"}, {"version", ERA_TOOLS_VERSION}, {"file", file}}) {}

  void found(const problem& p) override { document_.found(p, {"repair", repair_of(p)}); }

  void finish(const check_summary& s, const bounded_sink& problems,
              const std::string& error) override {
    base::json_writer& json = document_.after_problems(problems);
    json.text("source", s.state == metadata_state::snapshot ? "snapshot" : "live");
    json.boolean("superblock_usable", s.superblock_usable);
    if (s.superblock_usable) {
      put_state(s, json);
    }
    json.number("blocks_read", s.blocks_read);
    json.number("errors", s.errors);
    json.number("nonfatal", s.nonfatal);
    json.number("remarks", s.remarks);
    if (!error.empty()) {
      json.text("error", error);
    }
    document_.finish();
  }

  void fail(const std::string& error) override { document_.fail(error); }

 private:
  static void put_state(const check_summary& s, base::json_writer& json) {
    json.number("block_size_sectors", s.found.data_block_size);
    json.number("block_size_bytes", s.found.data_block_size * sector_bytes);
    json.number("nr_blocks", s.found.nr_blocks);
    json.number("current_era", s.found.current_era);
    json.boolean("current_writeset_open",
                 s.state == metadata_state::live && s.found.current_open());
    if (s.archived_writesets) {
      json.number("archived_writesets", *s.archived_writesets);
    } else {
      json.null("archived_writesets");
    }
    json.number("metadata_snapshot", s.metadata_snap);
    json.number("metadata_blocks_used", s.space_map.nr_allocated);
    json.number("metadata_blocks_total", s.space_map.nr_blocks);
  }

  problem_document document_;
};

class silent_reporter final : public check_report {
 public:
  void found(const problem&) override {}
  void finish(const check_summary&, const bounded_sink&, const std::string&) override {}
  void fail(const std::string&) override {}
};

}  // namespace

std::string line_of(const problem& found) {
  const problem_row& row = row_of(found.code);
  return std::string(severity_name(row.how_bad)) + " " + row.name + " " + sentence_of(found);
}

void print_more(base::output& out, const bounded_sink& problems) {
  for (const problem_row& row : problem_table()) {
    if (const std::uint64_t more = problems.not_shown(row.code)) {
      out << severity_name(row.how_bad) << " " << row.name << " ";
      out.number(more) << " more of these\n";
    }
  }
}

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
