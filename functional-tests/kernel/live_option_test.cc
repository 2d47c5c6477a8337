// --live NAME of the tools that read metadata, within the guest: a metadata snapshot is taken,
// read, and dropped again, whatever happens, and nothing is sent to a device that would not answer.
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "../catch.h"
#include "guest.h"
#include "live_device.h"

using Catch::Contains;
using kernel::part;

namespace {

// held: the block of the metadata snapshot that is held, or "-".
// all_gone: no snapshot is held, and no process of ours is there.
// gone_in_time: the same within ten seconds, for a guardian that works alone.
// refused_aloud COMMAND...: succeeds if the command fails, and prints what that says.
// stopped_tool OPTION...: starts era_invalidate with a fifo as its output, and returns when it has
//   taken the snapshot and waits for a reader of /tmp/fifo. Its process is $tool.
// ends_with STATUS: waits for it.
const std::string functions = R"sh(
held() { dm status era | cut -d ' ' -f 7; }
tools() {
  ps -o pid,args | grep -E ' (\{era_guardian\} )?era_(check|dump|invalidate) ' | grep -v grep || true
}
all_gone() {
  [ "$(held)" = - ] || { echo "still held: $(held)"; return 1; }
  [ -z "$(tools)" ] || { tools; return 1; }
}
gone_in_time() {
  local tries=0
  while [ "$(held)" != - ] || [ -n "$(tools)" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || all_gone || return 1
    usleep 50000
  done
}
refused_aloud() {
  if "$@" 2>&1; then
    echo "not refused: $*"
    return 1
  fi
}
stopped_tool() {
  local tries=0
  rm -f /tmp/fifo
  mkfifo /tmp/fifo
  era_invalidate --live era --written-since 0 -o /tmp/fifo "$@" >/tmp/tool.out 2>&1 &
  tool=$!
  while [ "$(held)" = - ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { echo "it takes no snapshot"; cat /tmp/tool.out; return 1; }
    usleep 50000
  done
}
ends_with() {
  local status=0
  wait "$tool" || status=$?
  [ "$status" -eq "$1" ] || { echo "status $status, not $1"; cat /tmp/tool.out; return 1; }
}
# The device has written blocks of three eras.
era_create era "$metadata" "$origin" 131072 128
write_direct era 0 256
dm_message era checkpoint
write_direct era 1280 128
dm_message era checkpoint
write_direct era 12800 128
)sh";

std::string run(const std::string& script) {
  kernel::live_device device;
  harness::make_zeroed(device.metadata(), 1 << 20);
  return device.run(functions + script);
}

}  // namespace

TEST_CASE("a live device is read in one command, by its name or its path", "[both]") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
echo "== list"
era_invalidate --live era --written-since 2
all_gone
echo "== json"
era_invalidate --live /dev/mapper/era --written-since 3 --format json
all_gone
echo "== file"
era_invalidate --live era --written-since 2 -o /tmp/list
cat /tmp/list
echo "== check"
era_check --live era
all_gone
echo "== quiet"
era_check -q --live era
echo "== dump"
era_dump --live era --logical --compact
all_gone
echo "== repair"
era_dump --live era --repair --logical --compact
all_gone
echo "== by hand"
dm_message era take_metadata_snap
era_dump --metadata-snapshot "$metadata" --logical --compact
dm_message era drop_metadata_snap
era_remove era
)sh");
  const std::string list =
      "<blocks>\n  <block block=\"10\"/>\n  <block block=\"100\"/>\n</blocks>\n";
  CHECK(part(out, "list") == list);
  CHECK(part(out, "file") == list);
  const auto json = nlohmann::json::parse(part(out, "json"));
  CHECK(json.at("ranges") == nlohmann::json::parse(R"([{"begin": 100, "end": 101}])"));
  CHECK(json.at("source") == "snapshot");
  CHECK(json.at("current_era") == 5);
  CHECK(json.at("next_since") == 5);
  CHECK(json.at("file") == "/dev/vda");
  CHECK_THAT(part(out, "check"), Contains("0 errors, 0 non-fatal errors, 0 remarks"));
  CHECK(part(out, "quiet") == "");
  // They differ in the eras that their snapshots began.
  const auto eras_only = [](const std::string& dump) { return dump.substr(dump.find('\n')); };
  CHECK_THAT(part(out, "dump"), Contains("<era block=\"100\" era=\"3\"/>"));
  CHECK(eras_only(part(out, "dump")) == eras_only(part(out, "by hand")));
  CHECK(eras_only(part(out, "repair")) == eras_only(part(out, "by hand")));
}

TEST_CASE("a live device is measured, drawn and packed") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
dmsetup status era >/dev/null  # commits what was digested by then
sleep 1
echo "== status"
dmsetup status era
echo "== size"
era_metadata_size --live era --format json
echo "== stat"
era_stat --live era --svg /tmp/svg --format json
all_gone
echo "== svg"
cat /tmp/svg
era_dump --live era --pack /tmp/packed
all_gone
echo "== packed"
era_check --metadata-snapshot /tmp/packed
era_invalidate --metadata-snapshot --written-since 3 /tmp/packed
era_remove era
)sh");
  const auto size = nlohmann::json::parse(part(out, "size"));
  std::istringstream status(part(out, "status"));
  std::string skipped;
  std::string use;
  status >> skipped >> skipped >> skipped >> skipped >> use;
  CHECK(use == std::to_string(size.at("used_blocks").get<int>()) + "/" +
                   std::to_string(size.at("total_blocks").get<int>()));
  CHECK(size.at("current_era") == 3);
  CHECK(size.at("nr_blocks") == 1024);
  CHECK(size.at("archived_writesets").is_null());
  CHECK(size.at("most_writesets").at("without_snapshot") > 100);
  const auto stat = nlohmann::json::parse(part(out, "stat"));
  CHECK(stat.at("source") == "snapshot");
  CHECK(stat.at("never_written_blocks") == 1020);
  CHECK(stat.at("eras").back().at("blocks_since") == 1);
  CHECK_THAT(part(out, "svg"), Contains("</svg>"));
  CHECK_THAT(part(out, "packed"), Contains("0 errors") && Contains("<block block=\"100\"/>"));
}

TEST_CASE("the metadata of a live device may lie on another device of the device mapper") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
era_remove era
dm_create meta "0 2048 linear $metadata 0"
era_create era /dev/mapper/meta "$origin" 131072 128
echo "== list"
era_invalidate --live era --written-since 3
all_gone
era_remove era
dm_remove meta
)sh");
  CHECK_THAT(part(out, "list"), Contains("<block block=\"100\"/>"));
}

TEST_CASE("what is not a live era device, or would not answer, is refused") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
dm_create other "0 2048 linear $origin 0"
dm_create bare "0 2048 linear $origin 0"
echo "== none"
refused_aloud era_invalidate --live nothing --written-since 0
echo "== a disk"
refused_aloud era_invalidate --live "$metadata" --written-since 0
echo "== another target"
refused_aloud era_check --live other
echo "== suspended"
era_suspend era
for tool in "era_check" "era_dump" "era_invalidate --written-since 0"; do
  refused_aloud $tool --live era
done
era_resume era
all_gone
era_remove era
)sh");
  const std::string none = ": no such device of the device mapper\n";
  CHECK_THAT(part(out, "none"), Catch::StartsWith("nothing" + none));
  CHECK_THAT(part(out, "a disk"), Catch::StartsWith("/dev/vda" + none));
  CHECK(part(out, "another target") == "other: not a device of the target era, but of: linear\n");
  const std::string suspended =
      "era: is suspended, and would not answer before it is resumed\n"
      "Resume it (dmsetup resume era), and start again.\n";
  CHECK(part(out, "suspended") == suspended + suspended + suspended);
}

TEST_CASE("a snapshot that somebody else holds is reported, kept, and replaced on demand",
          "[both]") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
dm_message era take_metadata_snap
theirs=$(held)
echo "== just now"
refused_aloud era_invalidate --live era --written-since 0
write_direct era 25600 128
dm_message era checkpoint
dm_message era checkpoint
echo "== long ago"
refused_aloud era_check --live era
[ "$(held)" = "$theirs" ]
echo "== replaced"
era_invalidate --live era --written-since 4 --replace-snapshot
all_gone
echo "== kept"
era_invalidate --live era --written-since 4 --keep
[ "$(held)" != - ]
[ -z "$(tools)" ]
echo "== again"
era_invalidate --metadata-snapshot --written-since 4 "$metadata"
echo "== kept by replacing"
era_invalidate --live era --written-since 4 --keep --replace-snapshot
dm_message era drop_metadata_snap
all_gone
era_remove era
)sh");
  const std::string list = "<blocks>\n  <block block=\"200\"/>\n</blocks>\n";
  const std::string advice = "If nobody uses it any more, --replace-snapshot drops it first.\n";
  CHECK(part(out, "just now") ==
        "era: a metadata snapshot is held already, taken 0 eras ago\n" + advice);
  CHECK(part(out, "long ago") ==
        "era: a metadata snapshot is held already, taken 2 eras ago\n" + advice);
  CHECK(part(out, "replaced") == list);
  CHECK(part(out, "kept") == list);
  CHECK(part(out, "again") == list);
  CHECK(part(out, "kept by replacing") == list);
}

TEST_CASE("a tool that is killed while it holds the snapshot leaves none") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
# Not in the background, where INT and QUIT would be ignored.
for signal in INT:130 TERM:143 HUP:129 QUIT:131; do
  rm -f /tmp/fifo
  mkfifo /tmp/fifo
  era=$(dm status era | cut -d ' ' -f 6) status=0
  timeout -s "${signal%:*}" 4 era_invalidate --live era --written-since 0 -o /tmp/fifo || status=$?
  echo "== ${signal%:*}"
  echo "$((status - ${signal#*:})) $(($(dm status era | cut -d ' ' -f 6) - era))"
  all_gone
done
stopped_tool
kill -KILL "$tool"
ends_with 137
gone_in_time
stopped_tool --keep
kill -TERM "$tool"
ends_with 143 2>/tmp/wait
all_gone
echo "== list"
era_invalidate --live era --written-since 3
all_gone
era_remove era
)sh");
  // The status is that of the signal, and a snapshot was taken, which begins an era.
  for (const std::string signal : {"INT", "TERM", "HUP", "QUIT"}) {
    CHECK(part(out, signal).substr(0, 4) == "0 1\n");
  }
  CHECK_THAT(part(out, "list"), Contains("<block block=\"100\"/>"));
}

TEST_CASE("a tool that is killed at any time leaves no snapshot and no process") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
killed=0 ended=0
for signal in KILL TERM; do
  delay=0
  while [ "$delay" -lt 200 ]; do
    era_dump --live era >/tmp/dump 2>&1 &
    tool=$!
    usleep $((delay * 1000))
    kill "-$signal" "$tool" 2>/dev/null || true
    if wait "$tool" 2>/dev/null; then ended=$((ended + 1)); else killed=$((killed + 1)); fi
    if [ "$signal" = TERM ]; then all_gone; else gone_in_time; fi
    delay=$((delay + 4))
  done
done
echo "== killed"
echo "$killed"
echo "== ended"
echo "$ended"
echo "== list"
era_invalidate --live era --written-since 3
era_remove era
echo "== check"
era_check "$metadata"
)sh");
  std::cout << "killed: " << part(out, "killed") << "ended before that: " << part(out, "ended");
  CHECK(std::stoi(part(out, "killed")) > 10);
  CHECK_THAT(part(out, "list"), Contains("<block block=\"100\"/>"));
  CHECK_THAT(part(out, "check"), Contains("0 errors, 0 non-fatal errors"));
}

TEST_CASE("of two tools on one live device the second is refused, and the first is right") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
stopped_tool
echo "== second"
refused_aloud era_invalidate --live era --written-since 0
refused_aloud era_check --live era --replace-snapshot
echo "== first"
cat /tmp/fifo
ends_with 0
all_gone
echo "== afterwards"
era_invalidate --live era --written-since 3
all_gone
era_remove era
)sh");
  const std::string locked =
      "era: another program has locked its metadata device, /dev/vda: perhaps an era tool that "
      "reads it\nStart again when that has ended.\n";
  CHECK(part(out, "second") == locked + locked);
  CHECK(part(out, "first") == "<blocks>\n  <range begin=\"0\" end = \"1024\"/>\n</blocks>\n");
  CHECK_THAT(part(out, "afterwards"), Contains("<block block=\"100\"/>"));
}

TEST_CASE("a device that is suspended while it is read is sent nothing, and the tool fails") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
stopped_tool
era_suspend era
echo "== list"
cat /tmp/fifo
echo "== said"
ends_with 1
cat /tmp/tool.out
[ -z "$(tools)" ]
era_resume era
[ "$(held)" != - ]
dm_message era drop_metadata_snap
stopped_tool
era_suspend era
kill -TERM "$tool"
ends_with 143 2>/tmp/wait
echo "== said at the signal"
cat /tmp/tool.out
[ -z "$(tools)" ]
era_resume era
dm_message era drop_metadata_snap
all_gone
stopped_tool
era_remove era
echo "== removed"
cat /tmp/fifo
ends_with 1
cat /tmp/tool.out
)sh");
  const std::string advice =
      "Drop it when the device can be sent messages: dmsetup message era 0 drop_metadata_snap\n";
  CHECK(part(out, "list") == "");
  CHECK(part(out, "said") ==
        "era: its metadata snapshot could not be dropped: era: is suspended, and would not answer "
        "before it is resumed\n" +
            advice);
  CHECK(part(out, "said at the signal") ==
        "era: its metadata snapshot could not be dropped\n" + advice);
  CHECK(part(out, "removed") ==
        "era: its metadata snapshot could not be dropped: era: no such device of the device "
        "mapper\n" +
            advice);
}

TEST_CASE("an output file is left as it was where the snapshot cannot be dropped") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
# A tool is stopped while it has the snapshot, and then goes on with a suspended device.
stopped_with_snapshot() {
  while true; do
    echo "of an earlier round" >/tmp/list
    era_dump --live era -o /tmp/list >/tmp/tool.out 2>&1 &
    tool=$!
    usleep $((delay * 1000))
    delay=$(((delay + 5) % 400))
    kill -STOP "$tool"
    [ "$(held)" = - ] || break
    kill -CONT "$tool"
    wait "$tool"
  done
}
has_ended() {
  case $(cat "/proc/$tool/stat" 2>/dev/null) in
    '' | *') Z '*) ;;
    *) false ;;
  esac
}
delay=0
while true; do
  stopped_with_snapshot
  era_suspend era
  kill -CONT "$tool"
  for i in $(seq 100); do
    has_ended || usleep 50000
  done
  has_ended && break
  # It was stopped after its last look whether the device is suspended, and waits for it.
  era_resume era
  wait "$tool" || true
done
ends_with 1
echo "== said"
cat /tmp/tool.out
echo "== file"
cat /tmp/list
era_resume era
dm_message era drop_metadata_snap
all_gone
era_remove era
)sh");
  CHECK_THAT(part(out, "said"), Contains("its metadata snapshot could not be dropped"));
  CHECK(part(out, "file") == "of an earlier round\n");
}

TEST_CASE("a snapshot that somebody replaces while it is read is left to them") {
  if (!kernel::available()) {
    return;
  }
  const auto out = run(R"sh(
stopped_tool
own=$(held)
dm_message era drop_metadata_snap
dm_message era checkpoint
dm_message era take_metadata_snap
theirs=$(held)
[ "$own" != "$theirs" ]
echo "== list"
cat /tmp/fifo
ends_with 0
cat /tmp/tool.out
[ "$(held)" = "$theirs" ]
[ -z "$(tools)" ]
dm_message era drop_metadata_snap
era_remove era
)sh");
  CHECK(part(out, "list") == "<blocks>\n  <range begin=\"0\" end = \"1024\"/>\n</blocks>\n");
}
