// Tools that read, on a system that fails at any call: a check, a list or a dump is the right one,
// or there is none.
#include "failing_system.h"

#include <numeric>

#include "catch.h"
#include "control_server.h"
#include "dump_parser.h"
#include "fixtures.h"

namespace {

using failing::check_failures;
using failing::is_begin_of;
using failing::subject;
using failing::usual_failures;
using failing::words;
using faults::failure;
using fixtures::call;

class metadata_file {
  harness::temporary_folder folder_;

 public:
  explicit metadata_file(const harness::image& image) : path(folder_ / "metadata") {
    image.unpack(path);
  }
  const std::string path;
};

std::string text_of(const words& command) {
  std::string text;
  for (const auto& word : command) {
    text += text.empty() || word[0] == '/' ? "" : " ";
    text += word[0] == '/' ? "" : word;
  }
  return text;
}

// In JSON a failure is an object too, after what has been printed.
std::string without_error(const std::string& out) {
  const auto at = out.rfind("{\n  \"tool\":");
  return at != std::string::npos && out.find("\"error\": \"", at) != std::string::npos
             ? out.substr(0, at)
             : out;
}

// Standard output holds the right result, a part of it where its end could not be written, or
// nothing. A check has something else to say when it fails.
std::string judge_output(const std::string& tool, const std::string& right, const failure& what,
                         const harness::result& got) {
  if (got.status == 0) {
    return got.out == right ? "" : "a wrong result";
  }
  const auto out = tool == "era_invalidate" ? without_error(got.out) : got.out;
  const bool end_failed = is_begin_of("standard output: ", got.err);
  if (out == right && !end_failed) {
    return "a whole result and a failure";
  }
  if (tool != "era_check" && !is_begin_of(out, right)) {
    return "a wrong part of a result";
  }
  const bool in_parts = what.kind == "write" || what.kind == "memory" || tool != "era_invalidate";
  return in_parts || end_failed || out.empty() ? "" : "a part of a list";
}

subject reading(const std::string& tool, words arguments, const std::string& path) {
  arguments.push_back(path);
  const auto right = call(tool, arguments);
  REQUIRE(right.status == 0);
  REQUIRE(right.out != "");
  subject made;
  arguments.insert(arguments.begin(), harness::tool(tool));
  made.command = arguments;
  arguments.front() = tool;
  made.name = text_of(arguments);
  made.judge = [tool, right](const failure& what, const harness::result& got) {
    return judge_output(tool, right.out, what, got);
  };
  return made;
}

// No block has an earlier era than it had.
std::string judge_repair(const harness::image& image, const std::string& right,
                         const harness::result& got) {
  if (got.status != 0) {
    return got.out.empty() || is_begin_of("standard output: ", got.err) ? "" : "a part of a dump";
  }
  if (got.err.empty()) {
    return got.out == right ? "" : "a wrong dump without a word";
  }
  const auto truth = image.live.eras();
  const auto found = harness::parse_dump(got.out).fold();
  for (std::size_t block = 0; block < truth.size(); ++block) {
    if (block >= found.size() || found[block] < truth[block]) {
      return "block " + std::to_string(block) + " has an earlier era";
    }
  }
  return "";
}

subject repairing(const harness::image& image, const std::string& path) {
  auto made = reading("era_dump", {"--repair", "--logical"}, path);
  made.tells_more = true;
  const auto right = image.live.logical_xml(image.block_size);
  made.judge = [&image, right](const failure&, const harness::result& got) {
    return judge_repair(image, right, got);
  };
  return made;
}

// Each of the blocks in turn is one that the disk cannot read; returns those of which that was
// noticed.
std::vector<std::uint64_t> check_bad_blocks(const subject& of,
                                            const std::vector<std::uint64_t>& blocks) {
  std::vector<std::uint64_t> noticed;
  for (const auto block : blocks) {
    const failure what{"block", block + 1};
    const auto got = faults::run(what, of.command).result;
    INFO(of.name << ", " << faults::text_of(what) << ": status " << got.status << " " << got.err);
    CHECK((got.status == 0 || got.status == 1));
    CHECK(of.judge(what, got) == "");
    if (got.status != 0) {
      const auto name = block == 0 ? "superblock" : "block " + std::to_string(block);
      CHECK_THAT(got.out + got.err, Catch::Contains(name));
    }
    if (got.status != 0 || !got.err.empty()) {
      noticed.push_back(block);
    }
  }
  harness::print_table({{of.name, "blocks", "noticed"},
                        {"", std::to_string(blocks.size()), std::to_string(noticed.size())}});
  return noticed;
}

// How many blocks a check reads, as it says.
std::uint64_t blocks_read(const std::string& path) {
  const auto report = call("era_check", {path}).out;
  const auto end = report.find(" metadata blocks read");
  REQUIRE(end != std::string::npos);
  return std::stoull(report.substr(report.rfind(' ', end - 1) + 1));
}

const harness::image& small_image() {
  return harness::image_named("snap_held");
}

}  // namespace

TEST_CASE("a check on a failing system finds nothing sound that it did not read") {
  if (!faults::available()) {
    return;
  }
  const metadata_file metadata(small_image());
  check_failures(reading("era_check", {}, metadata.path), usual_failures());
  check_failures(reading("era_check", {"--format=json"}, metadata.path), usual_failures());
}

TEST_CASE("a list on a failing system is whole, or there is none") {
  if (!faults::available()) {
    return;
  }
  const metadata_file metadata(small_image());
  check_failures(reading("era_invalidate", {"--written-since", "3"}, metadata.path),
                 usual_failures());
  check_failures(
      reading("era_invalidate", {"--metadata-snapshot", "--format=json", "--written-since", "3"},
              metadata.path),
      usual_failures());
}

TEST_CASE("a dump on a failing system says nothing else") {
  if (!faults::available()) {
    return;
  }
  const metadata_file metadata(small_image());
  check_failures(reading("era_dump", {}, metadata.path), usual_failures());
}

TEST_CASE("statistics on a failing system are the right ones, or there are none") {
  if (!faults::available()) {
    return;
  }
  const metadata_file metadata(small_image());
  check_failures(reading("era_stat", {}, metadata.path), usual_failures());
}

TEST_CASE("what a server says is passed on by a failing system, or nothing is") {
  if (!faults::available()) {
    return;
  }
  const harness::temporary_folder folder;
  const harness::control_server server(
      folder / "socket", [](const std::string&) { return "0 131072 era 8 10/256 12 -\n"; });
  check_failures(reading("era_message", {"status", "--control"}, folder / "socket"),
                 usual_failures());
}

TEST_CASE("a dump that repairs on a failing system has no era too early") {
  if (!faults::available()) {
    return;
  }
  const metadata_file metadata(small_image());
  check_failures(repairing(small_image(), metadata.path), usual_failures());
}

TEST_CASE("a bad block of a disk is damage where it is in use") {
  if (!faults::available()) {
    return;
  }
  const auto& image = harness::at_length() ? small_image() : harness::image_named("odd_block_size");
  const metadata_file metadata(image);
  std::vector<std::uint64_t> all(image.metadata_bytes / fixtures::block_bytes);
  std::iota(all.begin(), all.end(), 0);
  const auto used = check_bad_blocks(reading("era_check", {}, metadata.path), all);
  CHECK(used.size() == blocks_read(metadata.path));
  const auto& blocks = harness::at_length() ? all : used;
  const auto list = reading("era_invalidate", {"--written-since", "1"}, metadata.path);
  CHECK(check_bad_blocks(list, blocks).size() > 4);
  CHECK(check_bad_blocks(reading("era_dump", {}, metadata.path), blocks).size() > 4);
  CHECK(check_bad_blocks(repairing(image, metadata.path), blocks).size() > 4);
}

namespace {

// An era array that lies in pieces all over a device, as digestion leaves it over the years: such a
// device is read through libaio's queue.
class scattered_metadata {
  harness::temporary_folder folder_{failing::fast_folder()};

 public:
  scattered_metadata() {
    constexpr std::uint64_t leaves = 4200;
    constexpr std::uint64_t sectors_of_a_leaf = 1018 * 8;  // 1018 eras, blocks of 8 sectors
    const auto sectors = std::to_string(leaves * sectors_of_a_leaf);
    std::string script = "device metadata 131072\ndevice origin " + sectors + "\ncreate 0 " +
                         sectors + " era metadata origin 8\n";
    // Six of seven leaves move away, so that no two of those that stay are neighbours.
    for (std::uint64_t leaf = 0; leaf < leaves; ++leaf) {
      if (leaf % 7 != 0) {
        script += "discard " + std::to_string(leaf * sectors_of_a_leaf) + " 8\n";
      }
    }
    harness::run_options options;
    options.folder = folder_.path();
    options.input = script + "message checkpoint\nsettle\nremove\n";
    const auto made = harness::run({harness::tool("era_simulate")}, options);
    INFO(made.err);
    REQUIRE(made.status == 0);
  }
  const std::string path = folder_ / "metadata";
};

std::vector<failure> failures_of_a_queue() {
  std::vector<failure> all;
  for (const bool lasts : {false, true}) {
    for (const int error : {EAGAIN, EIO, ENOMEM}) {
      all.push_back({"queue", 0, "error", error, lasts, true});
    }
    all.push_back({"read", 0, "error", EIO, lasts, true});
    all.push_back({"read", 0, "short", 0, lasts, true});
  }
  all.push_back({"queue", 0, "error", EINTR, false, true});
  return all;
}

}  // namespace

TEST_CASE("a list read through a queue that fails is whole, or there is none") {
  if (!faults::available()) {
    return;
  }
  const scattered_metadata metadata;
  const auto list = reading("era_invalidate", {"--written-since", "1"}, metadata.path);
  const auto calls = faults::run({"queue", 0, "error", 0, false, true}, list.command).calls;
  REQUIRE(calls > 10);
  check_failures(list, failures_of_a_queue());
  check_failures(reading("era_check", {}, metadata.path), failures_of_a_queue());
}
