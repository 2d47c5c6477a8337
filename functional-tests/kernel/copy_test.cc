// era_copy of a live device on a real kernel: consistent copies of a mounted file system that is
// written to; killed at every step, and the power cut, without harm; and no suspension of what the
// copy itself lies on.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../catch.h"
#include "../faults.h"
#include "../harness.h"
#include "guest.h"
#include "live_device.h"

using Catch::Contains;
using kernel::part;

namespace {

constexpr std::uint64_t sectors = 131072 - 8;  // the last block is a part

// The disks of copy.sh, and one that keeps files from boot to boot.
class copies {
 public:
  explicit copies(std::uint64_t length = sectors) : length_(length) {
    add_disk("metadata", 1 << 20);
    add_disk("origin", length * 512);
    add_disk("target", length * 512);
    add_disk("kept", 8 << 20);
    script_ +=
        "length=" + std::to_string(length) + "\n" + harness::read_file(KERNEL_FOLDER "/copy.sh");
  }

  bool possible() {
    if (!kernel::available()) {
      return false;
    }
    for (const std::string program : {"mke2fs", "e2fsck", "cmp"}) {
      const auto found =
          harness::run({"bash", "-c", "PATH=$PATH:/sbin:/usr/sbin type -P " + program});
      if (found.status != 0) {
        kernel::skip(program + " is not here, see scripts/packages");
        return false;
      }
      guest_.take(found.out.substr(0, found.out.find('\n')));
    }
    guest_.take(harness::tool("era_copy"));
    return true;
  }

  void take(const std::string& program) { guest_.take(program); }
  void set_seconds(int seconds) { guest_.set_seconds(seconds); }

  std::string run(const std::string& script) { return judged(guest_.run(script_ + script)); }
  std::string run_and_cut(const std::string& script) {
    return judged(guest_.run_and_cut(script_ + script));
  }

  std::string disk(const std::string& name) const {
    return harness::read_file(folder_ / name).substr(0, length_ * 512);
  }

 private:
  void add_disk(const std::string& name, std::uint64_t bytes) {
    harness::make_zeroed(folder_ / name, bytes);
    script_ += name + '=' + guest_.add_disk(folder_ / name) + '\n';
  }

  static std::string judged(const kernel::outcome& ended) {
    INFO(ended.out);
    REQUIRE(ended.err == "");
    REQUIRE(ended.status == 0);
    CHECK(kernel::complaints(ended.dmesg, {"EXT4-fs"}) == std::vector<std::string>());
    return ended.out;
  }

  std::uint64_t length_;
  harness::temporary_folder folder_;
  kernel::guest guest_;
  std::string script_;
};

const std::string make_device = "era_create era \"$metadata\" \"$origin\" \"$length\" 128\n";

const std::string make_file_system = R"sh(
/bin/mke2fs -q -t ext4 /dev/mapper/era
mkdir /tmp/mnt /tmp/copy
mount -t ext4 /dev/mapper/era /tmp/mnt
)sh";

}  // namespace

TEST_CASE("the consistent copy of a mounted ext4 is whole, and has all that was made by then",
          "[both]") {
  copies copies;
  if (!copies.possible()) {
    return;
  }
  const auto out = copies.run(make_device + make_file_system + R"sh(
touch /tmp/made
write_files /tmp/mnt one &
first=$!
write_files /tmp/mnt two &
second=$!
while [ "$(wc -l </tmp/made)" -lt 20 ]; do usleep 20000; done
note_what_was_made &
watcher=$!
echo "== copy"
era_copy --live era --consistent --max-rest 512k --since-file /tmp/state "$target"
touch /tmp/copied
wait "$watcher"
touch /tmp/stop
wait "$first" "$second"
echo "== dry"
era_copy --live era --consistent --since-file /tmp/state --dry-run "$target"
echo "== e2fsck"
/bin/e2fsck -fn "$target"
mount -t ext4 -o ro "$target" /tmp/copy
wrong_files /tmp/copy
echo "== facts"
echo "files in the copy $(ls /tmp/copy | grep -c -e -)"
echo "files made by then $(wc -l </tmp/made.then)"
missing=0
while read -r file; do
  [ -e "/tmp/copy/$file" ] || missing=$((missing + 1))
done </tmp/made.then
echo "files missing $missing"
umount /tmp/copy /tmp/mnt
echo "files wrong $(mount -t ext4 -o ro "$target" /tmp/copy && wrong_files /tmp/copy | wc -l)"
umount /tmp/copy
echo "== next"
era_copy --live era --consistent --since-file /tmp/state --format json "$target"
is_equal "$target"
era_remove era
)sh");
  const std::string facts = part(out, "facts");
  std::cout << part(out, "copy") << part(out, "e2fsck") << facts;
  CHECK_THAT(part(out, "copy"), Contains("round 2: ") && Contains(", suspended for "));
  CHECK_THAT(part(out, "dry"), Contains("would copy ") && Contains("would then suspend era for "));
  const auto next = nlohmann::json::parse(part(out, "next"));
  CHECK(next.at("consistent") == true);
  CHECK(next.at("suspended_milliseconds") > 0);
  CHECK_THAT(part(out, "e2fsck"), !Contains("WARNING") && !Contains("recovery"));
  CHECK(kernel::fact(facts, "files made by then") >= 20);
  CHECK(kernel::fact(facts, "files in the copy") >= kernel::fact(facts, "files made by then"));
  CHECK(kernel::fact(facts, "files missing") == 0);
  CHECK(kernel::fact(facts, "files wrong") == 0);
}

TEST_CASE("era_copy that is killed at any step leaves a device that goes on") {
  constexpr std::uint64_t short_device = 16384;
  copies copies(short_device);
  if (!copies.possible()) {
    return;
  }
  copies.take(faults::library());
  copies.set_seconds(400);
  const auto out = copies.run(make_device + R"sh(
write_direct era 0 2048
# with_fault KIND CALL SIGNAL: a consistent copy, ended by that signal before that call.
with_fault() {
  head -c 8 /dev/zero >/tmp/calls
  LD_PRELOAD=/bin/faults.so FAULT_COUNT=/tmp/calls FAULT_KIND="$1" FAULT_AT="$2" \
    FAULT_EFFECT=signal FAULT_NUMBER="$3" \
    era_copy --live era --consistent --max-rest 256k --since-file /tmp/state -q "$target"
}
calls() { od -An -t u8 /tmp/calls | tr -d ' '; }
# Copies that are killed at each step-th call, by turns with each signal.
kill_at_calls() {
  local kind=$1 step=$2 call=1 signal=9 status most
  rm -f /tmp/state
  with_fault "$kind" 0 9
  most=$(calls)
  back=0 half=0
  while [ "$call" -le "$most" ]; do
    write_direct era $((call * 128 % 16000)) 64
    rm -f /tmp/state
    status=0
    with_fault "$kind" "$call" "$signal" || status=$?
    # A copy may need fewer calls than the first one did.
    [ "$status" -eq $((128 + signal)) ] || [ "$status" -eq 0 ] || return 1
    back_in_time
    [ "$status" -eq 0 ] || back=$((back + 1))
    half=$((half + $(in_progress /tmp/state)))
    signal=$((signal == 9 ? 15 : 9))
    call=$((call + step))
  done
  echo "$kind: calls $most"
  echo "$kind: came back $back"
  echo "$kind: in progress $half"
}
kill_at_calls device-mapper 1
kill_at_calls queue 3
kill_at_calls write 2
kill_at_calls flush 1
write_direct era 100 200
era_copy --live era --consistent --since-file /tmp/state -q "$target"
is_equal "$target"
echo "in progress in the end $(in_progress /tmp/state)"
era_remove era
)sh");
  std::cout << out;
  for (const std::string kind : {"device-mapper", "queue", "write", "flush"}) {
    CHECK(kernel::fact(out, kind + ": came back") >= 1);
  }
  CHECK(kernel::fact(out, "device-mapper: calls") >= 20);
  CHECK(kernel::fact(out, "device-mapper: in progress") >= 5);
  CHECK(kernel::fact(out, "in progress in the end") == 0);
}

TEST_CASE("the power cut during a copy leaves a state file that says what is true") {
  copies copies;
  if (!copies.possible()) {
    return;
  }
  copies.run(make_device + R"sh(
/bin/mke2fs -q -t ext4 "$kept"
mkdir /tmp/kept
mount -t ext4 "$kept" /tmp/kept
yes "first" | head -c 4194304 | gnu-dd of=/dev/mapper/era bs=1M oflag=direct status=none
era_copy --live era --since-file /tmp/kept/state -q "$target"
is_equal "$target"
umount /tmp/kept
era_remove era
)sh");
  const std::string begin = make_device + R"sh(
mkdir /tmp/kept
mount -t ext4 "$kept" /tmp/kept
yes "$RANDOM" | head -c 8388608 | gnu-dd of=/dev/mapper/era bs=1M seek=3 oflag=direct status=none
)sh";
  // While it copies, and when it has said that it is complete.
  const std::string half = copies.run_and_cut(begin + R"sh(
era_copy --live era --since-file /tmp/kept/state --rate 1M -q "$target" &
while [ "$(in_progress /tmp/kept/state)" -eq 0 ]; do usleep 10000; done
usleep 2000000
)sh");
  const std::string after = R"sh(
mkdir /tmp/kept
mount -t ext4 "$kept" /tmp/kept
echo "in progress $(in_progress /tmp/kept/state)"
if is_equal "$target"; then echo "equal 1"; else echo "equal 0"; fi
)sh";
  const auto cut = copies.run(make_device + after + R"sh(
era_copy --live era --since-file /tmp/kept/state -q "$target"
if is_equal "$target"; then echo "equal then 1"; else echo "equal then 0"; fi
umount /tmp/kept
era_remove era
)sh");
  std::cout << "cut while copying:\n" << cut;
  CHECK(kernel::fact(cut, "in progress") == 1);
  CHECK(kernel::fact(cut, "equal") == 0);
  CHECK(kernel::fact(cut, "equal then") == 1);

  copies.run_and_cut(begin + R"sh(
era_copy --live era --since-file /tmp/kept/state -q "$target"
)sh");
  const auto complete = copies.run(make_device + after + "umount /tmp/kept\nera_remove era\n");
  std::cout << "cut after copying:\n" << complete;
  CHECK(kernel::fact(complete, "in progress") == 0);
  CHECK(kernel::fact(complete, "equal") == 1);
}

TEST_CASE("a device is not suspended where the copy itself would wait for it") {
  copies copies;
  if (!copies.possible()) {
    return;
  }
  const auto out = copies.run(make_device + make_file_system + R"sh(
copy() { refused_aloud era_copy --live era --consistent --written-since 0 "$@"; }
echo "== target"
: >/tmp/mnt/image
copy /tmp/mnt/image
rm /tmp/mnt/image
echo "== new target"
copy /tmp/mnt/image
ls /tmp/mnt
echo "== loop"
head -c $((length * 512)) /dev/zero >/tmp/mnt/image 2>/dev/null || true
truncate -s $((length * 512)) /tmp/mnt/image
losetup /dev/loop0 /tmp/mnt/image && copy /dev/loop0 && losetup -d /dev/loop0 || echo "no loop"
rm /tmp/mnt/image
echo "== state"
refused_aloud era_copy --live era --consistent --since-file /tmp/mnt/state "$target"
ls /tmp/mnt
echo "== output"
refused era_copy --live era --consistent --written-since 0 "$target" >/tmp/mnt/out
era_copy --live era --consistent --written-since 0 "$target" 2>&1 >/tmp/mnt/out | cat
rm /tmp/mnt/out
echo "== program"
cp /bin/era_copy /tmp/mnt/
refused_aloud /tmp/mnt/era_copy --live era --consistent --written-since 0 "$target"
rm /tmp/mnt/era_copy
echo "== itself"
copy /dev/mapper/era
copy "$origin"
copy "$metadata"
echo "== another"
dm_create other "0 8 linear $origin 0"
copy "$target"
dm_remove other
echo "== too long"
refused_aloud era_copy --live era --consistent --max-suspend 0 --since-file /tmp/state "$target"
back_in_time
echo "progress $(in_progress /tmp/state)"
echo "== suspended"
umount /tmp/mnt
era_suspend era
copy "$target"
era_resume era
era_remove era
)sh");
  const auto says = [&](const std::string& title, const std::string& what) {
    INFO(title);
    CHECK_THAT(part(out, title), Contains(what));
  };
  says("target", "/tmp/mnt/image: lies on era, which is to be copied");
  says("new target",
       "/tmp/mnt/image: lies on era, which is to be copied\nGive one that lies "
       "elsewhere.\nlost+found\n");
  CHECK_THAT(part(out, "loop"), Contains("/dev/loop0: lies on era") || Contains("no loop"));
  says("state", "/tmp/mnt/state: lies on era");
  says("output", "era: must not be suspended, since standard output, /tmp/mnt/out lies on it");
  says("program", "era: must not be suspended, since /tmp/mnt/era_copy lies on it");
  says("itself", "/dev/mapper/era: lies on era");
  says("itself", "/dev/vdb: era lies on it");
  says("another", "era: its origin, /dev/vdb, is used by the device ");
  says("too long", "the time for copying was over");
  says("too long", "progress 1");
  says("suspended", "era: is suspended");
}
