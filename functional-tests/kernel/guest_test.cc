// The guests themselves: what run-guest promises.
#include "guest.h"

#include <string>

#include "../catch.h"
#include "../harness.h"

TEST_CASE("what a kernel logs in trouble is a complaint, and nothing else is") {
  const std::string trouble =
      "[    2.202942] device-mapper: space map metadata: unable to allocate new metadata block\n"
      "[    4.493498] WARNING: CPU: 0 PID: 393 at drivers/md/dm-bufio.c:1627\n"
      "[    4.498746] kernel BUG at drivers/md/dm-bufio.c:1644!\n"
      "[    4.600000] Buffer I/O error on dev dm-0, logical block 0, lost async page write\n";
  const std::string refused = "[    2.1] device-mapper: era: unsupported message 'hello'\n";
  const std::string harmless = "[    2.098473] ACPI: PM: Preparing to enter system sleep state\n";
  const auto found = kernel::complaints(harmless + trouble + refused, {"unsupported message"});
  CHECK(found == kernel::lines_of(trouble));
  CHECK(kernel::complaints(refused) == kernel::lines_of(refused));
}

TEST_CASE("a guest returns the script's output and status, and the kernel's log") {
  if (!kernel::available()) {
    return;
  }
  const harness::temporary_folder folder;
  harness::write_file(folder / "disk", std::string(4096, 'x'));
  kernel::guest guest;
  const auto disk = guest.add_disk(folder / "disk");
  const auto ended = guest.run(
      "echo one\necho two >&2\necho three >/dev/kmsg\n"
      "printf y | dd of=" +
      disk +
      " conv=notrunc,fsync 2>/dev/null\n"
      "exit 3\n");
  CHECK(ended.status == 3);
  CHECK(ended.out == "one\ntwo\n");
  CHECK(ended.err == "");
  CHECK_THAT(ended.dmesg, Catch::Contains("three"));
  CHECK(harness::read_file(folder / "disk").substr(0, 2) == "yx");
}

TEST_CASE("a guest that does not end is ended") {
  if (!kernel::available()) {
    return;
  }
  kernel::guest guest;
  guest.set_seconds(12);
  const auto ended = guest.run("echo begun\nsleep 1000\n");
  CHECK(ended.status == 124);
  CHECK(ended.out == "begun\n");
  CHECK_THAT(ended.err, Catch::Contains("has not ended after 12 s"));
}

TEST_CASE("a guest dies at once when the power is cut, whatever goes on in it") {
  if (!kernel::available()) {
    return;
  }
  const kernel::guest guest;
  const auto ended = guest.run_and_cut("(sleep 1; echo late) &\necho begun\n");
  CHECK(ended.status == 0);
  CHECK_THAT(ended.out, Catch::StartsWith("begun\n") && !Catch::Contains("late"));
  CHECK(ended.err == "");
}
