// era_repair on a system that fails at any call, or killed before it: what it writes is sound and
// has no block with an earlier era than before the damage, or the output is as it was or is refused
// by all who read it.
#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>

#include "catch.h"
#include "dump_parser.h"
#include "failing_system.h"
#include "fixtures.h"
#include "metadata_bytes.h"

namespace {

using failing::check_failures;
using failing::subject;
using failing::words;
using faults::failure;
using fixtures::call;
using harness::metadata_bytes;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Metadata to be repaired, and a device that holds other metadata.
class repairing {
  harness::temporary_folder folder_{failing::fast_folder()};

 public:
  // `options` are of era_repair; without the superblock, every block counts as written.
  explicit repairing(const std::string& bytes, const words& options = {})
      : input(folder_ / "input"),
        output(folder_ / "output"),
        metadata_blocks(bytes.size() / fixtures::block_bytes) {
    harness::write_file(input, bytes);
    old_ = metadata_bytes(harness::image_named("one_era")).bytes();
    REQUIRE(old_.size() == bytes.size());
    earliest_ = image().live.eras();
    if (bytes.find_first_not_of('\0') >= fixtures::block_bytes) {
      std::fill(earliest_.begin(), earliest_.end(), image().live.current_era + 1);
    }
    command_ = {harness::tool("era_repair"), "-i", input, "-o", output};
    command_.insert(command_.end(), options.begin(), options.end());
    prepare();
    right_ = harness::run(command_);
    INFO(right_.out << right_.err);
    REQUIRE(right_.status == 0);
    right_bytes_ = harness::read_file(output);
    REQUIRE(is_repaired(right_bytes_));
  }

  // What is damaged, in all cases here.
  static const harness::image& image() { return harness::image_named("odd_block_size"); }

  subject at_work(const std::string& name) const {
    subject made;
    made.name = name;
    made.command = command_;
    made.prepare = [this] { prepare(); };
    made.judge = [this](const failure&, const harness::result& got) { return judge(got); };
    return made;
  }

  void prepare() const { harness::write_file(output, old_); }

  std::string judge(const harness::result& got) const {
    const auto now = harness::read_file(output);
    if (got.status == 0) {
      return judge_success(got, now);
    }
    if (now == old_ || failing::is_refused(output)) {
      return "";
    }
    const bool may_be_whole =
        got.status != 1 || contains(got.err, "the metadata may be whole or not") ||
        contains(got.err, "out of memory") || failing::is_begin_of("standard output: ", got.err);
    return !is_repaired(now) ? "unfinished metadata that somebody takes"
           : may_be_whole    ? ""
                             : "whole and failed";
  }

  const std::string input;
  const std::string output;
  const std::uint64_t metadata_blocks;

 private:
  std::string judge_success(const harness::result& got, const std::string& now) const {
    if (!is_repaired(now)) {
      return "success without sound metadata";
    }
    if (!contains(got.out, output + ": written: ") || got.out.back() != '\n') {
      return "success without the whole report";
    }
    return got.out == right_.out && now != right_bytes_ ? "other metadata without a word" : "";
  }

  // A check finds it clean, and no block has an earlier era than it had.
  bool is_repaired(const std::string& now) const {
    if (repaired_.count(now) != 0) {
      return true;
    }
    if (call("era_check", {output}).status != 0) {
      return false;
    }
    const auto found = harness::parse_dump(fixtures::dump(output, {"--logical"})).fold();
    const bool is_right = found.size() >= earliest_.size() &&
                          std::equal(earliest_.begin(), earliest_.end(), found.begin(),
                                     [](auto earliest, auto era) { return earliest <= era; });
    if (is_right) {
      repaired_.insert(now);
    }
    return is_right;
  }

  words command_;
  std::string old_;
  harness::result right_;
  std::string right_bytes_;
  std::vector<std::uint32_t> earliest_;
  mutable std::set<std::string> repaired_;
};

std::string sound() {
  return metadata_bytes(repairing::image()).bytes();
}

// Without some eras and some counts of the space map.
std::string damaged() {
  metadata_bytes metadata(repairing::image());
  metadata.damage(metadata.array_blocks(era_array(metadata)).rbegin()->second, 2000, 1);
  metadata.damage(first_bitmap(metadata), 100, 0xff);
  return metadata.bytes();
}

std::string without_superblock() {
  return sound().replace(0, fixtures::block_bytes, fixtures::block_bytes, '\0');
}

words block_size_given() {
  return {"--data-block-size", std::to_string(repairing::image().block_size)};
}

// Each block in turn, or every `distance`-th, is one that the disk cannot read; returns how often
// that was reported. What the output holds is not looked at (--force), as the same blocks are bad
// there.
std::uint64_t check_bad_blocks(const repairing& repairing, const std::string& name,
                               std::uint64_t distance) {
  const auto subject = repairing.at_work(name);
  std::uint64_t tried = 0;
  std::uint64_t reported = 0;
  for (std::uint64_t block = 0; block < repairing.metadata_blocks; block += distance) {
    const failure what{"block", block + 1};
    subject.prepare();
    const auto got = faults::run(what, subject.command).result;
    INFO(name << ", " << faults::text_of(what) << ": " << got.out << got.err);
    CHECK(got.status == 0);
    CHECK(got.err == "");
    CHECK(repairing.judge(got) == "");
    ++tried;
    reported +=
        contains(got.out, "error block-unreadable block " + std::to_string(block) + " (") ? 1 : 0;
  }
  harness::print_table(
      {{name, "blocks", "reported"}, {"", std::to_string(tried), std::to_string(reported)}});
  return reported;
}

}  // namespace

TEST_CASE("a repair on a failing system loses no write or is refused by all") {
  if (!faults::available()) {
    return;
  }
  SECTION("of sound metadata") {
    const repairing repairing(sound());
    check_failures(repairing.at_work("era_repair sound"), failing::failures_and_kills());
  }
  SECTION("of damaged metadata") {
    const repairing repairing(damaged());
    check_failures(repairing.at_work("era_repair damaged"), failing::usual_failures());
  }
  SECTION("without the superblock") {
    const repairing repairing(without_superblock(), block_size_given());
    check_failures(repairing.at_work("era_repair lost superblock"), failing::usual_failures());
  }
}

TEST_CASE("a repair takes a bad block of a disk as written") {
  if (!faults::available()) {
    return;
  }
  auto options = block_size_given();
  options.emplace_back("--force");
  const std::uint64_t some = harness::at_length() ? 1 : 8;
  CHECK(check_bad_blocks(repairing(sound(), options), "era_repair sound", 1) > 4);
  CHECK(check_bad_blocks(repairing(damaged(), options), "era_repair damaged", some) > 0);
  CHECK(check_bad_blocks(repairing(without_superblock(), options), "era_repair lost superblock",
                         some) == 1);
}
