// The nightly backup that README.md shows, on a live device: after every night in which nobody
// writes, the copy is the origin, byte for byte, whatever happened in the nights before.
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "../catch.h"
#include "../harness.h"
#include "guest.h"

namespace {

constexpr std::uint64_t bytes = 131069 * 512;  // the length in backup.sh
constexpr std::uint64_t block = 128 * 512;

// The commands in README.md that copy the device `era` by ddrescue.
std::string nightly_backup() {
  const auto readme = harness::read_file(SOURCE_FOLDER "/README.md");
  const std::string fence = "\n```";
  const auto ddrescue = readme.find("\n  ddrescue ");
  REQUIRE(ddrescue != std::string::npos);
  const auto begin = readme.find('\n', readme.rfind(fence, ddrescue) + fence.size());
  const auto commands = readme.substr(begin, readme.find(fence, ddrescue) - begin) + '\n';
  REQUIRE(commands.find("--commit-since") != std::string::npos);
  return commands;
}

// Adds the programs that the backup needs beside ours, if they are here.
bool take_programs(kernel::guest& guest) {
  for (const std::string program : {"ddrescue", "ddrescuelog", "cmp"}) {
    const auto found = harness::run({"bash", "-c", "type -P " + program});
    if (found.status != 0) {
      kernel::skip(program + " is not here, see scripts/packages");
      return false;
    }
    guest.take(found.out.substr(0, found.out.find('\n')));
  }
  guest.take(harness::tool("era_invalidate"));
  return true;
}

// The disks of backup.sh, and one for the copy.
class backup {
 public:
  backup() {
    harness::make_zeroed(folder_ / "metadata", 1 << 20);
    harness::write_file(folder_ / "origin", random_bytes());
    harness::make_zeroed(folder_ / "copy_disk", bytes);
    for (const std::string disk : {"metadata", "origin", "copy_disk"}) {
      script_ += disk + '=' + guest_.add_disk(folder_ / disk) + '\n';
    }
    script_ += "night() {\n" + nightly_backup() + "}\n";
    script_ += harness::read_file(KERNEL_FOLDER "/backup.sh");
  }

  bool possible() { return kernel::available() && take_programs(guest_); }

  void run(const std::string& script) {
    const auto ended = guest_.run(script_ + script);
    INFO(ended.out);
    REQUIRE(ended.err == "");
    REQUIRE(ended.status == 0);
    CHECK(kernel::complaints(ended.dmesg) == std::vector<std::string>());
    out_ = ended.out;
  }

  std::uint64_t fact(const std::string& name) const { return kernel::fact(out_, name); }
  std::string disk(const std::string& name) const { return harness::read_file(folder_ / name); }

  // A night that must have copied what it listed.
  std::uint64_t listed(const std::string& night) const {
    const auto listed = fact(night + ": listed");
    const auto copied = fact(night + ": copied");
    const bool equal = fact(night + ": equal") == 1;
    std::cout << night << ": " << listed << " bytes listed, " << copied << " copied, the copy is "
              << (equal ? "equal" : "not equal") << '\n';
    CHECK(copied == listed);
    return listed;
  }

  std::uint64_t listed_and_equal(const std::string& night) const {
    INFO(night);
    CHECK(fact(night + ": equal") == 1);
    return listed(night);
  }

 private:
  static std::string random_bytes() {
    std::mt19937_64 random(1);
    std::string filled(bytes, '\0');
    for (auto& byte : filled) {
      byte = static_cast<char>(random());
    }
    return filled;
  }

  harness::temporary_folder folder_;
  kernel::guest guest_;
  std::string script_;
  std::string out_;
};

}  // namespace

TEST_CASE("the nightly backup of README.md copies a live device, also while it is written to") {
  backup backup;
  if (!backup.possible()) {
    return;
  }
  backup.run(R"sh(
make_devices "$origin"
ln -s "$copy_disk" copy
fill_with "before the first night"
write_blocks 1000 24 1
good_night first

fill_with "before the second night"
write_blocks 3 40 25
write_direct above $((length - 1)) 1
refused is_equal
good_night second
good_night idle

fill_with "before the third night"
write_blocks 1 200 5
start_writing
await_writes 3
ddrescue() {
  await_writes 5
  dm_message era checkpoint
  cp /tmp/written /tmp/written.before
  command ddrescue "$@" || return
  echo "written while copying $(($(cat /tmp/written) - $(cat /tmp/written.before)))" >/tmp/meanwhile
  await_writes 5
}
good_night "with a writer"
cat /tmp/meanwhile
unset -f ddrescue
stop_writing
echo "written in all $(cat /tmp/written)"
good_night afterwards

remove_devices
)sh");
  CHECK(backup.listed_and_equal("first") == bytes);
  // Of the last block there are 125 sectors.
  CHECK(backup.listed_and_equal("second") == 41 * block - 3 * 512);
  CHECK(backup.listed_and_equal("idle") == 0);
  std::cout << "writes in all " << backup.fact("written in all") << ", while copying "
            << backup.fact("written while copying") << '\n';
  CHECK(backup.listed("with a writer") >= 200 * block);
  CHECK(backup.listed_and_equal("afterwards") >= block);
  const bool same = backup.disk("copy_disk") == backup.disk("origin");
  CHECK(same);
}

TEST_CASE("after a night that fails in any way, the next one copies what that would have") {
  backup backup;
  if (!backup.possible()) {
    return;
  }
  // The era device lies on one that can have a hole; and the copy is a file.
  backup.run(
      R"sh(
dm_create disk "0 $length linear $origin 0"
make_devices /dev/mapper/disk
good_night first

fill_with "before the copying fails"
write_blocks 3 40 25
ddrescue() { return 1; }
bad_night "copying fails"
unset -f ddrescue
good_night second
lists_the_same

fill_with "before a block cannot be read"
write_blocks 10 30 5
disk_table() {
  echo "0 1280 linear $origin 0"
  echo "1280 128 $1"
  echo "1408 $((length - 1408)) linear $origin 1408"
}
another_disk() { dm suspend disk && disk_table "$1" | dm load disk && dm resume disk; }
another_disk error
bad_night "a block cannot be read"
echo "rescued $(marked_bytes copied.map)"
another_disk "linear $origin 1280"
good_night third
lists_the_same

fill_with "before the tool is killed"
write_blocks 20 20 7
rm changed.map
mkfifo changed.map
cp state /tmp/state
night >/tmp/night.out 2>&1 &
night=$!
while [ "$(era_held era)" = - ]; do usleep 20000; done
kill -KILL "$(ps -o pid,comm | awk '$2 == "era_invalidate" { print $1 }')"
refused wait "$night"
cmp state /tmp/state
rm changed.map
tries=0
while [ "$(era_held era)" != - ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 500 ]
  usleep 20000
done
good_night fourth

remove_devices
dm_remove disk
)sh");
  CHECK(backup.listed_and_equal("first") == bytes);
  CHECK(backup.listed_and_equal("second") == 40 * block);
  CHECK(backup.fact("rescued") == 29 * block);
  CHECK(backup.listed_and_equal("third") == 30 * block);
  CHECK(backup.listed_and_equal("fourth") == 20 * block);
}

TEST_CASE("the page cache of an era device hides what is written above it, until it is dropped") {
  backup backup;
  if (!backup.possible()) {
    return;
  }
  backup.run(R"sh(
make_devices "$origin"
list() { era_invalidate --live era --written-since 1 --format ranges --unit bytes; }
# copy_listed FLAG...: as the page era_invalidate(8) shows it, but for the flags of the input.
copy_listed() {
  list >/tmp/list
  while read -r begin end; do
    gnu-dd if=/dev/mapper/era of=copy bs=1M conv=notrunc,fsync status=none \
      iflag="$1" oflag=seek_bytes skip="$begin" seek="$begin" count=$((end - begin)) || exit
  done </tmp/list
}
copied_as() {
  if is_equal; then echo "$1 1"; else echo "$1 0"; fi
}
gnu-dd if=/dev/mapper/era of=copy bs=256k status=none
copied_as "at first"
write_blocks 3 40 25
write_direct above $((length - 1)) 1
copy_listed skip_bytes,count_bytes
copied_as "by the page cache"
blockdev --flushbufs /dev/mapper/era
copy_listed skip_bytes,count_bytes
copied_as "after dropping it"
fill_with "something else"
write_blocks 4 40 25
write_direct above $((length - 2)) 1
copy_listed direct,skip_bytes,count_bytes
copied_as "past it"
remove_devices
)sh");
  CHECK(backup.fact("at first") == 1);
  CHECK(backup.fact("by the page cache") == 0);
  CHECK(backup.fact("after dropping it") == 1);
  CHECK(backup.fact("past it") == 1);
}
