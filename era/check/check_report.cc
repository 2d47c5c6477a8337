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
  }

  void finish(const check_summary& s) override {
    out_ << file_ << ": " << counted(s.blocks_read, "metadata block") << " read";
    if (s.superblock_usable) {
      out_ << "; current era ";
      out_.number(s.live.current_era) << (s.live.current_open() ? " (open), " : ", ");
      out_ << counted(s.live.nr_blocks, "data block") << " of "
           << counted(s.live.data_block_size, "sector") << ", "
           << counted(s.archived_writesets, "archived writeset") << ", ";
      if (s.live.metadata_snap == pd::no_block) {
        out_ << "no metadata snapshot";
      } else {
        out_ << "metadata snapshot in block ";
        out_.number(s.live.metadata_snap);
      }
    }
    out_ << "\n"
         << file_ << ": " << counted(s.errors, "error") << ", "
         << counted(s.nonfatal, "non-fatal error") << ", " << counted(s.remarks, "remark") << "\n";
  }

 private:
  base::output& out_;
  std::string file_;
};

class json_reporter final : public check_report {
 public:
  json_reporter(base::output& out, const std::string& file) : out_(out), json_(text_) {
    json_.begin_object();
    json_.text("tool", "era_check");
    json_.text("version", ERA_TOOLS_VERSION);
    json_.text("file", file);
    json_.begin_array("problems");
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

  void finish(const check_summary& s) override {
    json_.end_array();
    json_.boolean("superblock_usable", s.superblock_usable);
    if (s.superblock_usable) {
      json_.number("block_size_sectors", s.live.data_block_size);
      json_.number("block_size_bytes", s.live.data_block_size * sector_bytes);
      json_.number("nr_blocks", s.live.nr_blocks);
      json_.number("current_era", s.live.current_era);
      json_.boolean("current_writeset_open", s.live.current_open());
      json_.number("archived_writesets", s.archived_writesets);
      json_.number("metadata_snapshot", s.live.metadata_snap);
    }
    json_.number("blocks_read", s.blocks_read);
    json_.number("errors", s.errors);
    json_.number("nonfatal", s.nonfatal);
    json_.number("remarks", s.remarks);
    json_.end_object();
    print();
  }

 private:
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
  void finish(const check_summary&) override {}
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
