// Metadata that is written over while a tool reads it: parts of two states make a third, with every
// checksum right, and its list can be short.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "failing_system.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using fixtures::call;

// A device on which every block of one half was written in era 7.
std::string half_written(bool first_half) {
  fixtures::document document;
  document.nr_blocks = 240000;
  document.current_era = 8;
  for (std::uint32_t block = 0; block < document.nr_blocks; ++block) {
    document.eras[block] = (block < document.nr_blocks / 2) == first_half ? 7 : 1;
  }
  return document.xml();
}

// Lets two states take turns in a file, written slowly and in place, for as long as it lives.
class slow_writer {
 public:
  slow_writer(const std::string& file, std::string a, std::string b)
      : states_{std::move(a), std::move(b)}, thread_([this, file] { write(file); }) {}
  ~slow_writer() {
    stop_ = true;
    thread_.join();
  }

  // Whether a busy machine made it pause in the middle of a state, since this was last asked: for
  // so long that nobody can take it for one who is still writing.
  bool has_stalled() { return stalled_.exchange(false); }

 private:
  void write(const std::string& file) {
    using namespace std::chrono_literals;
    for (int turn = 0; !stop_; ++turn) {
      const std::string& state = states_[turn % 2];
      const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
      constexpr std::size_t piece = 8 * fixtures::block_bytes;
      auto last = std::chrono::steady_clock::now();
      for (std::size_t at = 0; at < state.size(); at += piece) {
        const auto now = std::chrono::steady_clock::now();
        if (now - last > 200ms) {
          stalled_ = true;
        }
        last = now;
        if (::pwrite(fd, state.data() + at, piece, static_cast<off_t>(at)) < 0) {
          stop_ = true;
        }
        std::this_thread::sleep_for(3ms);
      }
      ::close(fd);
      std::this_thread::sleep_for(400ms);
    }
  }

  std::string states_[2];
  std::atomic<bool> stop_{false};
  std::atomic<bool> stalled_{false};
  std::thread thread_;
};

// Both, and a file in which they take turns.
class two_states {
  harness::temporary_folder folder_;

 public:
  two_states() : file(folder_ / "file") {
    for (auto* const state : {&a, &b}) {
      fixtures::restore(half_written(state == &a), file);
      *state = harness::read_file(file);
      dumps_.push_back(fixtures::dump(file, {"--logical"}));
      lists_.push_back(list(file).out);
      std::filesystem::remove(file);
    }
    REQUIRE(lists_[0] != lists_[1]);
    harness::write_file(file, a);
  }

  static harness::result list(const std::string& from) {
    return call("era_invalidate", {"--written-since", "7", from});
  }

  bool has_list(const std::string& text) const { return text == lists_[0] || text == lists_[1]; }
  bool has_dump(const std::string& text) const { return text == dumps_[0] || text == dumps_[1]; }

  std::string operator/(const std::string& name) const { return folder_ / name; }

  const std::string file;
  std::string a;
  std::string b;

 private:
  std::vector<std::string> dumps_;
  std::vector<std::string> lists_;
};

// Lists what was written since era 7 again and again while the metadata is rewritten.
void check_lists(int runs, bool beneath_a_loop_device) {
  const two_states states;
  std::optional<fixtures::loop_device> loop;
  if (beneath_a_loop_device) {
    loop.emplace(states.file);
    if (!loop->available()) {
      return;
    }
  }
  slow_writer writer(states.file, states.a, states.b);
  for (int run = 0; run < runs; ++run) {
    const auto got = two_states::list(loop ? loop->path() : states.file);
    INFO("run " << run << ": " << got.err);
    CHECK((got.status == 1 || states.has_list(got.out) || writer.has_stalled()));
    CHECK((got.status == 0 || got.out == ""));
  }
}

}  // namespace

TEST_CASE("no list mixes two states of a file that is rewritten meanwhile") {
  check_lists(50, false);
}

TEST_CASE("what is rewritten while it is dumped is said to be not valid") {
  const harness::temporary_folder folder;
  const auto file = folder / "file";
  fixtures::restore(half_written(true), file);
  // The dump waits for its reader, who changes the file first.
  const auto got = harness::run({"bash", "-c",
                                 R"({ "$0" "$1" 2>"$2"; echo $? >"$3"; } |
                                    { head -c 1000; sleep 0.1; printf x |
                                      dd of="$1" bs=1 seek=900000 conv=notrunc status=none; cat; })",
                                 harness::tool("era_dump"), file, folder / "err", folder / "rc"});
  CHECK(harness::read_file(folder / "rc") == "1\n");
  CHECK_THAT(harness::read_file(folder / "err"),
             Catch::Contains(file + ": was changed while it was read; the result is not valid"));
}

TEST_CASE("no dump that repairs mixes two states of a file that is rewritten meanwhile") {
  const two_states states;
  const auto out = states / "out";
  slow_writer writer(states.file, states.a, states.b);
  for (int run = 0; run < 20; ++run) {
    const auto got = call("era_dump", {"--repair", "--logical", "-o", out, states.file});
    const bool exists = std::filesystem::exists(out);
    INFO("run " << run << ": " << got.err);
    CHECK(exists == (got.status == 0));
    if (exists) {
      CHECK((states.has_dump(harness::read_file(out)) || writer.has_stalled()));
      std::filesystem::remove(out);
    }
  }
}

TEST_CASE("no repair mixes two states of a file that is rewritten meanwhile", "[slow]") {
  const two_states states;
  const auto device = states / "device";
  const std::string zeros(states.a.size(), '\0');
  slow_writer writer(states.file, states.a, states.b);
  int repaired = 0;
  constexpr int runs = 50;
  for (int run = 0; run < runs; ++run) {
    harness::write_file(device, zeros);
    const auto got = call("era_repair", {"-i", states.file, "-o", device});
    INFO("run " << run << ": " << got.out << got.err);
    if (got.status == 0) {
      CHECK(call("era_check", {device}).status == 0);
      CHECK((states.has_dump(fixtures::dump(device, {"--logical"})) || writer.has_stalled()));
      ++repaired;
      continue;
    }
    CHECK(got.status == 1);
    CHECK_THAT(got.err, Catch::Contains("was changed while it was read") ||
                            Catch::Contains("another program is writing to it"));
    CHECK((harness::read_file(device) == zeros || failing::is_refused(device)));
  }
  harness::print_table(
      {{"era_repair of a rewritten file", "runs", "repaired", "failed"},
       {"", std::to_string(runs), std::to_string(repaired), std::to_string(runs - repaired)}});
}

TEST_CASE("no restore mixes two states of a document that is rewritten meanwhile", "[slow]") {
  const harness::temporary_folder folder;
  const auto xml = folder / "xml";
  const auto device = folder / "device";
  const auto a = half_written(true);
  const auto b = half_written(false);
  REQUIRE(a.size() == b.size());
  fixtures::restore(a, device);
  harness::write_file(xml, a);
  slow_writer writer(xml, a, b);
  for (int run = 0; run < 20; ++run) {
    const auto got = call("era_restore", {"-i", xml, "-o", device});
    INFO("run " << run << ": " << got.err);
    const auto found = call("era_dump", {device});
    CHECK((got.status == 0 || got.status == 1));
    if (got.status == 0) {
      CHECK((found.out == a || found.out == b || writer.has_stalled()));
    } else {
      CHECK((found.status == 1 || found.out == a || found.out == b));
    }
  }
}

TEST_CASE("no list mixes two states of the file beneath a loop device") {
  check_lists(10, true);
}
