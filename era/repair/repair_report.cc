#include "era/repair/repair_report.h"

#include "base/number.h"
#include "era/check/problem_document.h"

namespace era {
namespace {

using base::counted;

// Of every thousand, rounded up: 0 only if there is none.
std::uint64_t permille(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : (part * 1000 + whole - 1) / whole;
}

// "12 of 100 data blocks (12.0 %)"
std::string share(std::uint64_t part, std::uint64_t whole, std::uint64_t of_1000) {
  return std::to_string(part) + " of " + counted(whole, "data block") + " (" +
         std::to_string(of_1000 / 10) + "." + std::to_string(of_1000 % 10) + " %)";
}

std::string how_much(const contents_summary& sent) {
  const std::uint64_t all = sent.facts.nr_blocks;
  const std::uint64_t assumed = permille(sent.assumed, all);
  return "the eras of " + share(all - sent.assumed, all, all == 0 ? 0 : 1000 - assumed) +
         " are salvaged; assumed as written in the current era are " +
         share(sent.assumed, all, assumed);
}

std::string why_all_written(const repair_summary& done) {
  const std::string why =
      done.contradicted
          ? "what was given contradicts the superblock, so nothing that it names is believed"
          : "the superblock is lost, and nothing shows which blocks are the newest";
  return why + ": every data block counts as written, in the new era " +
         std::to_string(done.contents.facts.current_era);
}

const char* name_of(repair_basis basis) {
  switch (basis) {
    case repair_basis::superblock:
      return "superblock";
    case repair_basis::resealed_superblock:
      return "resealed superblock";
    case repair_basis::all_written:
      break;
  }
  return "all written";
}

class text_reporter final : public repair_report {
 public:
  text_reporter(base::output& out, std::string file, std::string output)
      : out_(out), file_(std::move(file)), output_(std::move(output)) {}

  void found(const problem& p) override { out_ << with_remedy(line_of(p), p) << "\n"; }

  void finish(const repair_summary& done, std::uint64_t blocks_read,
              const bounded_sink& problems) override {
    print_more(out_, problems);
    out_ << file_ << ": " << counted(blocks_read, "metadata block") << " read\n";
    for (const std::string& sentence : sentences_of(done)) {
      out_ << file_ << ": " << sentence << "\n";
    }
    const superblock_facts& facts = done.contents.facts;
    out_ << output_ << ": written: current era ";
    out_.number(facts.current_era) << ", " << counted(facts.nr_blocks, "data block") << " of "
                                   << counted(facts.block_size, "sector") << "\n";
  }

  void fail(const std::string&) override {}

 private:
  base::output& out_;
  std::string file_;
  std::string output_;
};

class json_reporter final : public repair_report {
 public:
  json_reporter(base::output& out, const std::string& file, const std::string& output)
      : document_(out, {{"tool", "era_repair"},
                        {"version", ERA_TOOLS_VERSION},
                        {"file", file},
                        {"output", output}}) {}

  void found(const problem& p) override { document_.found(p, {"remedy", remedy_of(p)}); }

  void finish(const repair_summary& done, std::uint64_t blocks_read,
              const bounded_sink& problems) override {
    base::json_writer& json = document_.after_problems(problems);
    json.text("basis", name_of(done.basis));
    json.number("metadata_blocks_read", blocks_read);
    const superblock_facts& facts = done.contents.facts;
    json.number("block_size_sectors", facts.block_size);
    json.number("nr_blocks", facts.nr_blocks);
    json.number("current_era", facts.current_era);
    json.number("salvaged", facts.nr_blocks - done.contents.assumed);
    json.number("assumed", done.contents.assumed);
    json.number("assumed_permille", permille(done.contents.assumed, facts.nr_blocks));
    put_if_any(json, "missing_era", done.contents.missing_era);
    put_if_any(json, "raised_from", done.contents.raised_from);
    if (done.basis == repair_basis::all_written) {
      put_sources(json, done);
    }
    document_.finish();
  }

  void fail(const std::string& error) override { document_.fail(error); }

 private:
  static void put_if_any(base::json_writer& json, const char* name,
                         std::optional<std::uint32_t> era) {
    if (era) {
      json.number(name, *era);
    } else {
      json.null(name);
    }
  }

  static void put_sources(base::json_writer& json, const repair_summary& done) {
    json.text("block_size_source", done.data_block_size.source);
    json.text("nr_blocks_source", done.nr_blocks.source);
    json.boolean("may_be_longer", done.may_be_longer);
    if (done.latest_era) {
      json.number("latest_era_found", done.latest_era->value);
      json.text("latest_era_source", done.latest_era->source);
    } else {
      json.null("latest_era_found");
    }
    json.number("metadata_blocks_recognized", done.blocks_recognized);
  }

  problem_document document_;
};

class silent_reporter final : public repair_report {
 public:
  void found(const problem&) override {}
  void finish(const repair_summary&, std::uint64_t, const bounded_sink&) override {}
  void fail(const std::string&) override {}
};

std::string from(const found_number& number) {
  return " (" + (number.source == "given" ? "" : std::string("from ")) + number.source + ")";
}

void add_sources(const repair_summary& done, std::vector<std::string>& to) {
  to.push_back(why_all_written(done));
  to.push_back("the data block size is " + counted(done.data_block_size.value, "sector") +
               from(done.data_block_size));
  to.push_back("the device has " + counted(done.nr_blocks.value, "data block") +
               from(done.nr_blocks));
  to.push_back(done.latest_era ? "the latest era found is " +
                                     std::to_string(done.latest_era->value) + from(*done.latest_era)
                               : "no era was found");
  to.push_back(counted(done.blocks_recognized, "block") + " of " +
               std::to_string(done.contents.blocks_read) + " are metadata, of any age");
  if (done.may_be_longer) {
    to.push_back(
        "make sure that the device is not longer than that: data blocks that a kernel "
        "adds count as never written");
  }
}

}  // namespace

std::vector<std::string> sentences_of(const repair_summary& done) {
  std::vector<std::string> all;
  const contents_summary& sent = done.contents;
  if (done.basis == repair_basis::resealed_superblock) {
    all.push_back(
        "the superblock's checksum is wrong, but the space map and the trees that it "
        "names prove it right; nothing but itself says that the data block size is " +
        counted(sent.facts.block_size, "sector"));
  }
  if (done.basis == repair_basis::all_written) {
    add_sources(done, all);
  }
  if (sent.raised_from) {
    all.push_back("the current era was raised from " + std::to_string(*sent.raised_from) + " to " +
                  std::to_string(sent.facts.current_era) +
                  ", and eras up to the old one count as the new one");
  }
  if (sent.missing_era) {
    all.push_back("every data block counts as written in era " + std::to_string(*sent.missing_era) +
                  ", which is missing, or later");
  }
  all.push_back(how_much(sent));
  return all;
}

std::unique_ptr<repair_report> text_repair_report(base::output& out, const std::string& file,
                                                  const std::string& output) {
  return std::make_unique<text_reporter>(out, file, output);
}

std::unique_ptr<repair_report> json_repair_report(base::output& out, const std::string& file,
                                                  const std::string& output) {
  return std::make_unique<json_reporter>(out, file, output);
}

std::unique_ptr<repair_report> silent_repair_report() {
  return std::make_unique<silent_reporter>();
}

}  // namespace era
