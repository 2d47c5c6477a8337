// era_message on a real era device within the guest: what it sends has its effect, what it prints
// is what dmsetup prints, and what the kernel would refuse or not answer is refused with a reason.
#include <string>

#include "../catch.h"
#include "guest.h"
#include "live_device.h"

using kernel::part;

namespace {

// The device is in era 1. refused_aloud COMMAND...: succeeds if the command fails, and prints what
// that says.
const std::string begin = R"sh(
refused_aloud() {
  if "$@" 2>&1; then
    echo "not refused: $*"
    return 1
  fi
}
era_create era "$metadata" "$origin" 131072 128
)sh";

std::string run(const std::string& script) {
  kernel::live_device device;
  harness::make_zeroed(device.metadata(), 1 << 20);
  return device.run(begin + script);
}

}  // namespace

TEST_CASE("messages have their effect, and nothing is printed of them") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
echo "== printed"
era_message --live era checkpoint
era_message --live /dev/mapper/era CheckPoint
first=$(era_now era)
era_message --live era take_metadata_snap
held=$(era_held era)
second=$(era_now era)
era_check -q --metadata-snapshot "$metadata"
era_message --live era drop_metadata_snap
echo "== eras"
echo "$first $second $(era_now era)"
echo "== held"
[ "$held" -gt 0 ]
era_held era
era_remove era
)sh");
  CHECK(part(out, "printed") == "");
  CHECK(part(out, "eras") == "3 4 4\n");
  CHECK(part(out, "held") == "-\n");
}

TEST_CASE("status and table are printed as dmsetup prints them, to a byte", "[both]") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
# equal COMMAND: until the background has changed nothing between the two.
equal() {
  local tries=0
  while true; do
    dmsetup "$1" era >/tmp/theirs
    era_message --live era "$1" >/tmp/ours
    cmp -s /tmp/theirs /tmp/ours && break
    tries=$((tries + 1))
    [ "$tries" -lt 5 ] || { cat /tmp/theirs /tmp/ours; return 1; }
  done
  cat /tmp/ours
}
echo "== table"
equal table
echo "== status"
equal status
era_message --live era take_metadata_snap
era_settle era
echo "== held"
equal status
era_message --live era drop_metadata_snap
era_remove era
)sh");
  CHECK(part(out, "table") == "0 131072 era 254:0 254:16 128\n");
  CHECK_THAT(part(out, "status"), Catch::Matches("0 131072 era 8 [0-9]+/256 1 -\n"));
  CHECK_THAT(part(out, "held"), Catch::Matches("0 131072 era 8 [0-9]+/256 2 [0-9]+\n"));
}

TEST_CASE("what the kernel refuses is refused with its reason, and changes nothing") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
echo "== none"
refused_aloud era_message --live era drop_metadata_snap
era_message --live era take_metadata_snap
before="$(era_now era) $(era_held era)"
echo "== second"
refused_aloud era_message --live era take_metadata_snap
[ "$(era_now era) $(era_held era)" = "$before" ]
era_message --live era drop_metadata_snap
echo "== again"
refused_aloud era_message --live era drop_metadata_snap
echo "== type"
dm_create other "0 2048 linear $origin 0"
refused_aloud era_message --live other checkpoint
refused_aloud era_message --live other status
dm_remove other
echo "== missing"
refused_aloud era_message --live other table
era_remove era
)sh");
  CHECK(part(out, "none") == "era: no snap to drop\nNo metadata snapshot is held.\n");
  CHECK(part(out, "again") == part(out, "none"));
  CHECK(part(out, "second") ==
        "era: metadata snapshot already exists\n"
        "If nobody uses it any more, drop_metadata_snap drops it.\n");
  const std::string other = "other: not a device of the target era, but of: linear\n";
  CHECK(part(out, "type") == other + other);
  CHECK(part(out, "missing") ==
        "other: no such device of the device mapper\nSee 'dmsetup ls' for those that there are.\n");
}

TEST_CASE("a suspended device is refused, and not waited for") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
era_suspend era
echo "== refused"
for word in checkpoint take_metadata_snap drop_metadata_snap status table; do
  refused_aloud timeout 10 era_message --live era "$word"
done
era_resume era
echo "== eras"
era_now era
era_message --live era checkpoint
era_now era
era_remove era
)sh");
  const std::string once =
      "era: is suspended, and would not answer before it is resumed\n"
      "Resume it (dmsetup resume era), and start again.\n";
  CHECK(part(out, "refused") == once + once + once + once + once);
  CHECK(part(out, "eras") == "2\n3\n");
}

TEST_CASE("a target whose metadata is full says so") {
  if (!kernel::available()) {
    return;
  }
  // So many take writes, and no checkpoint.
  kernel::live_device device;
  harness::make_zeroed(device.metadata(), 14 * 4096);
  const auto out = device.run(begin + R"sh(
write_direct era 0 128
echo "== refused"
tries=0
while era_message --live era checkpoint 2>/tmp/said; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ]
done
head -n 1 /tmp/said
echo "== status"
era_message --live era status
)sh");
  CHECK(part(out, "refused") == "era: the target has failed, its status is Error\n");
  CHECK(part(out, "status") == "0 131072 era Error\n");
}
