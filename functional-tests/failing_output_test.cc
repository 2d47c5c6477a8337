// Tools that write, on a system that fails at any call, or that are killed before it: what they
// write is whole, or is as it was, or is refused by all who read it.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>

#include "catch.h"
#include "dump_parser.h"
#include "failing_system.h"
#include "fixtures.h"

namespace {

using failing::check_failures;
using failing::failures_and_kills;
using failing::is_begin_of;
using failing::subject;
using failing::usual_failures;
using failing::words;
using faults::failure;
using fixtures::call;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const harness::image& small_image() {
  return harness::image_named("odd_block_size");
}

// ---- results in files ----

// A folder with metadata, to which results go.
class place {
  harness::temporary_folder folder_{failing::fast_folder()};

 public:
  place() : metadata(folder_ / "metadata"), result(folder_ / "result") {
    small_image().unpack(metadata);
    right = call("era_dump", {metadata}).out;
  }

  // What is beside the metadata and the result; takes it away.
  std::set<std::string> left_over() const {
    auto names = fixtures::names_in(folder_.path());
    names.erase("metadata");
    names.erase("result");
    names.erase("other name");
    for (const auto& name : names) {
      std::filesystem::remove(folder_ / name);
    }
    return names;
  }

  std::string result_bytes() const {
    return std::filesystem::exists(result) ? harness::read_file(result) : "";
  }

  subject dumping(const std::string& name) const {
    subject made;
    made.name = name;
    made.command = {harness::tool("era_dump"), metadata, "-o", result};
    return made;
  }

  const std::string metadata;
  const std::string result;
  std::string right;
};

// Only a process that is killed outright leaves its temporary file.
std::string judge_left_over(const place& at, const failure& what, const harness::result& got) {
  const auto names = at.left_over();
  const bool killed = what.effect == "signal" && what.number == SIGKILL && got.status != 0;
  for (const auto& name : names) {
    if (!killed || names.size() > 1 || !is_begin_of(".tmp-", name)) {
      return "it leaves " + name;
    }
  }
  return "";
}

failing::judgement replaced(const place& at, const std::string& old) {
  return [&at, old](const failure& what, const harness::result& got) -> std::string {
    const auto now = at.result_bytes();
    if (got.status == 0 && now != at.right) {
      return "success without the result";
    }
    if (now != at.right && now != old) {
      return "a file that is neither the old one nor the new";
    }
    return judge_left_over(at, what, got);
  };
}

// A file that cannot be replaced is written in place: its first block is zeros until it is whole.
failing::judgement written_in_place(const place& at, const std::string& old) {
  return [&at, old](const failure& what, const harness::result& got) -> std::string {
    const auto now = at.result_bytes();
    if (got.status == 0 && now != at.right) {
      return "success without the result";
    }
    const bool is_known = now == at.right || now == old;
    const bool seems_nothing =
        now.find_first_not_of('\0') >= std::min<std::size_t>(4096, now.size());
    const bool is_told = contains(got.err, "What it holds now is incomplete: don't use it.");
    if (!is_known && !seems_nothing && !is_told) {
      return "a file that may be taken for a result";
    }
    return judge_left_over(at, what, got);
  };
}

void write_with_two_names(const place& at, const std::string& bytes) {
  std::filesystem::remove(at.result);
  harness::write_file(at.result, bytes);
  const auto other = std::filesystem::path(at.result).replace_filename("other name");
  std::filesystem::remove(other);
  std::filesystem::create_hard_link(at.result, other);
}

// ---- metadata ----

constexpr std::uint64_t device_bytes = 1 << 20;

// A document, what it makes of a device, and a device that holds other metadata.
class restoring {
  harness::temporary_folder folder_{failing::fast_folder()};

 public:
  restoring() : xml(folder_ / "xml"), device(folder_ / "device") {
    text = fixtures::example().xml();
    harness::write_file(xml, text);
    fixtures::restore(text, device, device_bytes);
    right = harness::read_file(device);
    small_image().unpack(device);
    old = harness::read_file(device);
    // Blocks that it has no use for keep what they hold.
    REQUIRE(call("era_restore", {"-i", xml, "-o", device}).status == 0);
    right = harness::read_file(device);
    REQUIRE(call("era_check", {device}).status == 0);
    REQUIRE(call("era_dump", {device}).out == text);
  }

  subject from(const std::string& input, const std::string& name) const {
    subject made;
    made.name = name;
    made.command = {harness::tool("era_restore"), "-i", input, "-o", device};
    made.prepare = [this] { harness::write_file(device, old); };
    made.judge = [this](const failure&, const harness::result& got) { return judge(got); };
    return made;
  }

  std::string judge(const harness::result& got) const {
    const auto now = harness::read_file(device);
    if (got.status == 0 || now == right) {
      const bool may_be_whole = got.status != 1 ||
                                contains(got.err, "the metadata may be whole or not") ||
                                contains(got.err, "out of memory");
      return now != right ? "success without the metadata" : may_be_whole ? "" : "whole and failed";
    }
    if (now == old) {
      return "";
    }
    return failing::is_refused(device) ? "" : "unfinished metadata that somebody takes";
  }

  const std::string xml;
  const std::string device;
  std::string text;
  std::string old;
  std::string right;
};

// ---- the target ----

// Writes in several eras, with digestion; no block is written twice.
const std::string script = R"(device metadata 2048
device origin 8192
create 0 8192 era metadata origin 8
write 0 80
message checkpoint
write 400 8
message take_metadata_snap
write 800 16
settle
message drop_metadata_snap
write 1600 8
suspend
resume
write 1880 8
remove
)";
constexpr std::size_t nr_writes = 5;

class simulating {
  harness::temporary_folder folder_{failing::fast_folder()};

 public:
  simulating() {
    harness::write_file(folder_ / "script", script);
    const auto sound = at_work();
    REQUIRE(harness::run(sound.command, sound.options).status == 0);
    const auto data = harness::read_file(origin);
    const auto eras = eras_found();
    for (std::size_t block = 0; block < eras.size(); ++block) {
      if (const auto n = write_in(data, block); n != 0) {
        era_of_write_[n] = eras[block];
      }
    }
    REQUIRE(era_of_write_.size() == nr_writes);
    REQUIRE(era_of_write_.at(1) < era_of_write_.at(nr_writes));
  }

  subject at_work() const {
    subject made;
    made.name = "era_simulate";
    made.command = {harness::tool("era_simulate"), "script"};
    made.options.folder = folder_.path();
    made.prepare = [this] {
      std::filesystem::remove(metadata);
      std::filesystem::remove(origin);
    };
    made.judge = [this](const failure&, const harness::result&) { return judge(); };
    return made;
  }

 private:
  // What has reached the origin is in the metadata, under its era or a later one.
  std::string judge() const {
    const auto data = std::filesystem::exists(origin) ? harness::read_file(origin) : "";
    if (data.find_first_not_of('\0') == std::string::npos && !is_formatted()) {
      return "";
    }
    const auto check = call("era_check", {metadata});
    if (check.status != 0) {
      return "unsound metadata: " + check.out;
    }
    const auto eras = eras_found();
    for (std::size_t block = 0; block * block_size < data.size(); ++block) {
      const auto n = write_in(data, block);
      if (n != 0 && (block >= eras.size() || eras[block] < era_of_write_.at(n))) {
        return "write " + std::to_string(n) + " is lost";
      }
    }
    return "";
  }

  bool is_formatted() const {
    const auto bytes = std::filesystem::exists(metadata) ? harness::read_file(metadata) : "";
    return bytes.substr(0, fixtures::block_bytes).find_first_not_of('\0') != std::string::npos;
  }

  std::vector<std::uint32_t> eras_found() const {
    return harness::parse_dump(fixtures::dump(metadata, {"--logical"})).fold();
  }

  // The number of the write that has reached a block, or 0.
  static std::uint64_t write_in(const std::string& data, std::size_t block) {
    return fixtures::u64_at(data, block * block_size);
  }

  static constexpr std::size_t block_size = std::size_t{8} * 512;
  const std::string metadata = folder_ / "metadata";
  const std::string origin = folder_ / "origin";
  std::map<std::uint64_t, std::uint32_t> era_of_write_;
};

// What a stream does otherwise than a file.
std::vector<failure> failures_of_reading() {
  std::vector<failure> all;
  for (const auto& what : usual_failures()) {
    if (what.kind == "read" || what.kind == "query" || what.kind == "memory") {
      all.push_back(what);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("a result in a file is whole on a failing system, or the file is as it was") {
  if (!faults::available()) {
    return;
  }
  const place at;
  SECTION("that is new") {
    auto dumping = at.dumping("era_dump -o new");
    dumping.prepare = [&] { std::filesystem::remove(at.result); };
    dumping.judge = replaced(at, "");
    check_failures(dumping, failures_and_kills());
  }
  SECTION("that is there") {
    const std::string old = "what it held before\n";
    auto dumping = at.dumping("era_dump -o old");
    dumping.prepare = [&] { harness::write_file(at.result, old); };
    dumping.judge = replaced(at, old);
    check_failures(dumping, failures_and_kills());
  }
  SECTION("that cannot be replaced") {
    const std::string old(300000, 'x');
    auto dumping = at.dumping("era_dump -o linked");
    dumping.prepare = [&] { write_with_two_names(at, old); };
    dumping.judge = written_in_place(at, old);
    check_failures(dumping, failures_and_kills());
  }
}

TEST_CASE("metadata is restored on a failing system, or refused by all") {
  if (!faults::available()) {
    return;
  }
  const restoring restoring;
  SECTION("from a file") {
    check_failures(restoring.from(restoring.xml, "era_restore -i file"), failures_and_kills());
  }
  SECTION("from standard input") {
    auto subject = restoring.from("-", "era_restore -i -");
    subject.options.input = restoring.text;
    check_failures(subject, failures_of_reading());
  }
}

TEST_CASE("a restore on a failing system writes over nothing foreign") {
  if (!faults::available()) {
    return;
  }
  const restoring restoring;
  std::string foreign(device_bytes, '\0');
  foreign.replace(1024, 8, std::string("\1\0\0\0d\0\0\0", 8)).replace(4086, 10, "SWAPSPACE2");
  auto subject = restoring.from(restoring.xml, "era_restore over swap");
  subject.prepare = [&] { harness::write_file(restoring.device, foreign); };
  subject.judge = [&](const failure&, const harness::result& got) -> std::string {
    const bool is_kept = harness::read_file(restoring.device) == foreign;
    return got.status == 0 ? "it is written over" : is_kept ? "" : "it is changed";
  };
  subject.always_fails = true;
  // Not with what libblkid takes for nothing: a short read of its own, and a lack of memory.
  check_failures(
      subject,
      {{"read"}, {"read", 0, "error", EIO, true}, {"open"}, {"open", 0, "error", EIO, true}});
  const auto got = faults::run({"read", 1, "short"}, subject.command).result;
  CHECK(got.status == 1);
  CHECK((harness::read_file(restoring.device) == foreign));
}

TEST_CASE("no write reaches the origin on a failing system before its mark is permanent") {
  if (!faults::available()) {
    return;
  }
  const simulating simulating;
  check_failures(simulating.at_work(), failures_and_kills());
}
