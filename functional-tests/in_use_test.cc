// Files and devices that something else is using.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::bench;
using fixtures::call;

harness::result restore(const std::string& input, const std::string& output) {
  return call("era_restore", {"-i", input, "-o", output});
}

}  // namespace

TEST_CASE("restore does not write to a file that a loop device has attached") {
  const bench bench;
  const fixtures::loop_device device(bench.device);
  if (!device.available()) {
    return;
  }
  const auto refused = restore(bench.xml, bench.device);
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains(bench.device + ": is in use: " + device.path()) &&
                              Contains("losetup -d " + device.path()));
  CHECK((harness::read_file(bench.device) == std::string(1 << 20, '\0')));
  const auto restored = restore(bench.xml, device.path());
  CHECK(restored.err == "");
  CHECK(restored.status == 0);
}

TEST_CASE("restore says that a device is read only") {
  const bench bench;
  const fixtures::loop_device device(bench.device);
  if (!device.available()) {
    return;
  }
  REQUIRE(harness::run({"/usr/sbin/blockdev", "--setro", device.path()}).status == 0);
  const auto refused = restore(bench.xml, device.path());
  // The next to get this device would find it so.
  CHECK(harness::run({"/usr/sbin/blockdev", "--setrw", device.path()}).status == 0);
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains(device.path() + ": is a read-only block device"));
}

TEST_CASE("one restore at a time writes to a file, and nobody reads it meanwhile") {
  const bench bench;
  harness::write_file(bench / "begin", fixtures::example().xml().substr(0, 100));
  // The first waits for the rest of its input, and has the output open by then.
  const std::string script =
      R"(mkfifo "$0"; "$1" -i "$0" -o "$2" & first=$!
         exec 3>"$0"; cat "$3" >&3; sleep 1; shift 3
         "$@"; status=$?; exec 3>&-; wait $first; exit $status)";
  const auto meanwhile = [&](std::vector<std::string> command) {
    std::vector<std::string> all = {
        "bash",       "-c",           script, bench / "fifo", harness::tool("era_restore"),
        bench.device, bench / "begin"};
    all.insert(all.end(), command.begin(), command.end());
    const auto got = harness::run(all);
    ::unlink((bench / "fifo").c_str());
    return got;
  };
  const auto second =
      meanwhile({harness::tool("era_restore"), "-i", bench.xml, "-o", bench.device});
  CHECK(second.status == 1);
  CHECK_THAT(second.err, Contains(bench.device + ": another program is reading it or writing"));
  const auto reader = meanwhile({harness::tool("era_dump"), bench.device});
  CHECK(reader.status == 1);
  CHECK(reader.out == "");
  CHECK_THAT(reader.err, Contains(bench.device + ": another program is writing to it"));
}

TEST_CASE("restore does not write to a file that is being read") {
  const bench bench;
  const int reader = ::open(bench.device.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::flock(reader, LOCK_SH | LOCK_NB) == 0);
  CHECK(restore(bench.xml, bench.device).status == 1);
  // Readers don't mind each other.
  const int other = ::open(bench.metadata.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(::flock(other, LOCK_SH | LOCK_NB) == 0);
  CHECK(call("era_dump", {bench.metadata}).status == 0);
  ::close(other);
  ::close(reader);
  CHECK(restore(bench.xml, bench.device).status == 0);
}

TEST_CASE("the input of restore is not its output, by whatever names") {
  const bench bench;
  harness::write_file(bench.xml, fixtures::example().xml() + std::string(1 << 20, ' '));
  const auto before = harness::read_file(bench.xml);
  const auto link = bench / "link";
  const auto hard = bench / "hard";
  REQUIRE(::symlink(bench.xml.c_str(), link.c_str()) == 0);
  REQUIRE(::link(bench.xml.c_str(), hard.c_str()) == 0);
  for (const auto& name : {bench.xml, link, hard}) {
    const auto refused = restore(bench.xml, name);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.err, Contains(name + ": is the input"));
  }
  CHECK((harness::read_file(bench.xml) == before));
}

TEST_CASE("an output that is a fifo keeps restore from nothing") {
  const bench bench;
  const auto fifo = bench / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  harness::run_options options;
  options.seconds = 10;
  const auto refused = call("era_restore", {"-i", bench.xml, "-o", fifo}, options);
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains(fifo + ": Not a block device or regular file"));
}
