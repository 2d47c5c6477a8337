// Metadata that is written over while a tool reads it: parts of two states make a third, with every
// checksum right, and its list can be short.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "catch.h"
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

 private:
  void write(const std::string& file) {
    using namespace std::chrono_literals;
    for (int turn = 0; !stop_; ++turn) {
      const std::string& state = states_[turn % 2];
      const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
      constexpr std::size_t piece = 8 * fixtures::block_bytes;
      for (std::size_t at = 0; at < state.size(); at += piece) {
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
  std::thread thread_;
};

// Lists what was written since era 7 again and again while the metadata is rewritten.
void check_lists(int runs, bool beneath_a_loop_device) {
  const harness::temporary_folder folder;
  const auto file = folder / "file";
  fixtures::restore(half_written(true), folder / "a");
  fixtures::restore(half_written(false), folder / "b");
  const auto list = [&](const std::string& from) {
    return call("era_invalidate", {"--written-since", "7", from});
  };
  const auto a = list(folder / "a").out;
  const auto b = list(folder / "b").out;
  REQUIRE(a != b);
  harness::write_file(file, harness::read_file(folder / "a"));
  std::optional<fixtures::loop_device> loop;
  if (beneath_a_loop_device) {
    loop.emplace(file);
    if (!loop->available()) {
      return;
    }
  }
  const slow_writer writer(file, harness::read_file(folder / "a"),
                           harness::read_file(folder / "b"));
  for (int run = 0; run < runs; ++run) {
    const auto got = list(loop ? loop->path() : file);
    INFO("run " << run << ": " << got.err);
    CHECK((got.status == 1 || got.out == a || got.out == b));
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

TEST_CASE("no list mixes two states of the file beneath a loop device") {
  check_lists(10, true);
}
