// era_copy to NBD servers: nbdkit with a raw file, and qemu-nbd with a qcow2 image.
#include <string>
#include <vector>

#include "catch.h"
#include "changed_device.h"
#include "fixtures.h"
#include "harness.h"

using Catch::Contains;
using fixtures::changed_device;

namespace {

// Runs a shell script in the device's folder with $copy, the tool with what is to be copied.
harness::result run(const changed_device& device, const std::string& script) {
  harness::run_options options;
  options.folder = device / ".";
  return harness::run(
      {"bash", "-ec",
       "copy=\"$0 --written-since " + device.since() +
           " metadata origin\"\nall=\"$0 --written-since 0 metadata origin\"\n" + script,
       harness::tool("era_copy")},
      options);
}

void require_done(const harness::result& got) {
  INFO(got.out << got.err);
  REQUIRE(got.status == 0);
}

}  // namespace

TEST_CASE("an NBD server takes a copy") {
  if (!fixtures::has_programs({"nbdkit"})) {
    return;
  }
  const changed_device device;
  for (const std::string options : {"", "--skip-equal", "--verify --no-sparse"}) {
    harness::write_file(device / "target", device.base());
    require_done(run(device, "nbdkit -U - file target --run \"$copy " + options + " \\$uri\""));
    CHECK(harness::read_file(device / "target") == device.origin());
  }
}

TEST_CASE("a qcow2 image takes a copy through qemu-nbd") {
  if (!fixtures::has_programs({"qemu-nbd", "qemu-img"})) {
    return;
  }
  const changed_device device;
  require_done(run(device, R"sh(
qemu-img create -q -f qcow2 image "$(stat -c %s origin)"
qemu-nbd -f qcow2 -k "$PWD/socket" --fork --pid-file="$PWD/pid" -t image
trap 'kill "$(cat pid)"' EXIT
$all "nbd+unix:///?socket=$PWD/socket"
$copy --skip-equal --format json "nbd+unix:///?socket=$PWD/socket" >report
kill "$(cat pid)"
while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.05; done
trap '' EXIT
qemu-img convert -f qcow2 -O raw image raw
cmp raw origin
qemu-img check -q image
grep -q '"bytes_written": 0,' report
)sh"));
}

TEST_CASE("an NBD server that is too small, read-only or not there is refused") {
  if (!fixtures::has_programs({"nbdkit"})) {
    return;
  }
  const changed_device device;
  const auto small = run(device, R"(nbdkit -U - memory 1M --run "$all \$uri")");
  CHECK(small.status == 1);
  CHECK_THAT(small.err, Contains("has only 1048576 bytes, and 20478464 are needed"));
  harness::write_file(device / "target", device.base());
  const auto read_only = run(device, R"(nbdkit -r -U - file target --run "$all \$uri")");
  CHECK(read_only.status == 1);
  CHECK_THAT(read_only.err, Contains("the server lets nobody write"));
  CHECK(harness::read_file(device / "target") == device.base());
  const auto none = run(device, R"($all "nbd+unix:///?socket=$PWD/none")");
  CHECK(none.status == 1);
  CHECK_THAT(none.err, Contains("No such file or directory"));
}

TEST_CASE("a failure of an NBD server is a failure of the copy, and the state file says so") {
  if (!fixtures::has_programs({"nbdkit"})) {
    return;
  }
  const changed_device device;
  harness::write_file(device / "target", device.base());
  const auto got = run(device, R"(
nbdkit -U - --filter=error file target error-pwrite-rate=20% \
  --run "$0 --since-file state metadata origin \$uri")");
  CHECK(got.status == 1);
  CHECK_THAT(got.err, Contains(": writing at byte ") && Contains("Input/output error"));
  CHECK_THAT(harness::read_file(device / "state"), Contains("\"in_progress\": true"));
}
