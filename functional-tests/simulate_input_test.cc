// What era_simulate says to scripts that are none, to sizes, and to files that are in use.
#include <sys/stat.h>

#include <string>

#include "catch.h"
#include "harness.h"
#include "simulating.h"

namespace {

using namespace simulating;
using Catch::Contains;
using Catch::EndsWith;

constexpr unsigned seconds = 20;

// With a limit of time, since a wrong one would wait for ever.
harness::result run_script(const place& where, const std::string& text) {
  harness::run_options options;
  options.input = text;
  options.seconds = seconds;
  return where.run({}, options);
}

TEST_CASE("a script that cannot be read is named with the reason") {
  const place place;
  check_failure(place.run({place.path()}), "", place.path() + ": Is a directory\n");
  check_failure(place.run({"nowhere"}), "", "nowhere: No such file or directory\n");
  const auto from_folder =
      harness::run({"sh", "-c", harness::tool("era_simulate") + " < " + place.path()});
  check_failure(from_folder, "", "standard input: Is a directory\n");
}

TEST_CASE("bytes that are no script are refused in little time and memory") {
  const place place;
  const auto [text, reason] = GENERATE(table<std::string, std::string>({
      {std::string("flush\0 and more", 15), "a control character, byte 0"},
      {std::string("# \x01"), "a control character, byte 1"},
      {std::string(100, '\x7f'), "a control character, byte 127"},
      {std::string(50 << 20, 'x'), "longer than 4096 bytes"},
      {std::string(50 << 20, '\0'), "longer than 4096 bytes"},
      {"\xff\xfe\xfd", "unknown command"},
      {std::string(4000, 'x'), "unknown command 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"},
  }));
  INFO(reason);
  harness::run_options options;
  options.input = text;
  options.seconds = seconds;
  options.memory_limit = 300 << 20;
  const auto got = place.run({}, options);
  check_failure(got, "", "standard input:1: " + reason);
  CHECK(got.err.size() < 200);
}

TEST_CASE("a size has a unit or is in sectors") {
  const place place;
  const auto [size, bytes] = GENERATE(table<std::string, std::uintmax_t>({
      {"3", 1536},
      {"3s", 1536},
      {"3S", 1536},
      {"3k", 3072},
      {"5K", 5120},
      {"1m", 1 << 20},
      {"2M", 2 << 20},
      {"1g", 1 << 30},
      {"1G", 1 << 30},
      {"0", 0},
  }));
  INFO(size);
  check_output(place.script("device file " + size + "\n"), "");
  CHECK(std::filesystem::file_size(place / "file") == bytes);
}

TEST_CASE("a size that is none is told from one that is too large") {
  const place place;
  const auto [line, reason] = GENERATE(table<std::string, std::string>({
      {"device file k", "'k' is not a size; expected: device <file> <size>"},
      {"device file 1kk", "'1kk' is not a size"},
      {"device file 1.5M", "'1.5M' is not a size"},
      {"device file 0x10", "'0x10' is not a size"},
      {"device file -1", "'-1' is not a size"},
      {"device file 99999999999G", "'99999999999G' is too large, the most is 8589934591G"},
      {"device file 18014398509481984", "is too large, the most is 18014398509481983"},
      {"device file 99999999999999999999s", "is too large, the most is 18014398509481983s"},
      {"write 0 1k", "'1k' is not a number; expected: write <sector> <sectors>"},
      {"write 99999999999999999999 1", "is too large, the most is 36028797018963967"},
      {"device file 8 now then", "'now then' is too much; expected: device <file> <size>"},
      {"flush 1 2", "'1 2' is too much; expected: flush"},
  }));
  INFO(line);
  check_failure(place.script(line + "\n"), "", reason);
  CHECK_FALSE(place.has("file"));
}

TEST_CASE("what is neither a file nor a block device is no device, and is not waited for") {
  const place place;
  REQUIRE(::mkfifo((place / "fifo").c_str(), 0600) == 0);
  const auto name = GENERATE(as<std::string>(), "fifo", "/dev/null", "/tmp");
  INFO(name);
  const std::string refused = name + ": Not a block device or regular file\n";
  check_output(
      run_script(place, "device metadata 2048\n! create 0 8 era metadata " + name + " 8\n"),
      "Error opening data device: " + refused);
  check_output(run_script(place, "device origin 8\n! create 0 8 era " + name + " origin 8\n"),
               "Error opening metadata device: " + refused);
}

TEST_CASE("files and devices that something else uses are refused") {
  const place place;
  harness::make_zeroed(place / "attached", 1 << 20);
  const auto attached = harness::run({"losetup", "--find", "--show", place / "attached"});
  if (attached.status != 0) {
    WARN("skipped, no loop device can be had: " + attached.err);
    return;
  }
  const std::string loop = attached.out.substr(0, attached.out.find('\n'));
  const auto got = place.script(
      "device metadata 2048\ndevice origin 8\n"
      "! create 0 8 era metadata attached 8\n! create 0 8 era attached origin 8\n"
      "create 0 8 era metadata " +
      loop + " 8\n! reload 0 8 era " + loop +
      " origin 8\n"
      "remove\n");
  const auto detached = harness::run({"losetup", "-d", loop});
  check_output(got, "Error opening data device: attached: is in use: " + loop +
                        " has it attached\nError opening metadata device: attached: is in use: " +
                        loop + " has it attached\nError opening metadata device: " + loop +
                        ": Device or resource busy\n");
  CHECK(detached.status == 0);
  CHECK(harness::read_file(place / "metadata") != std::string(1 << 20, '\0'));
}

TEST_CASE("a table can be loaded without a resume") {
  const place place;
  const std::string load = "load 0 131072 era metadata origin 128\n";
  check_output(place.script(new_files + load, {"--verify"}), "");
  CHECK(fixtures::dump(place / "metadata") == harness::truth{0, 0, {}}.logical_xml(128));
  check_output(place.script(load + "! " + load + "! status\n! write 0 8\ntable\nsuspend\nremove\n" +
                                load + "resume\nstatus\n! " + load + "remove\n",
                            {"--verify"}),
               "Device or resource busy: a device has been created already; remove it first\n"
               "the target is suspended: it takes no request, message or status before it is "
               "resumed\n"
               "the target is suspended: it takes no request, message or status before it is "
               "resumed\n"
               "0 131072 era metadata origin 128\n"
               "0 131072 era 8 10/256 1 -\n"
               "Device or resource busy: a device has been created already; remove it first\n");
}

TEST_CASE("why a status says Error is said once") {
  const place place;
  const auto got = place.script("device metadata 112\ndevice origin 64M\n" + create +
                                "! message checkpoint\nstatus\nstatus\n! remove\n");
  CHECK(got.status == 0);
  CHECK_THAT(got.out, Contains("0 131072 era Error\n0 131072 era Error\n"));
  CHECK_THAT(got.err, Catch::StartsWith("metadata: no metadata block is free: 11 of 14 are in use, "
                                        "and 3 that") &&
                          EndsWith("stays valid.\n"));
  CHECK(std::count(got.err.begin(), got.err.end(), '\n') == 1);
}

TEST_CASE("a message that ends a script says what to do") {
  const place place;
  check_failure(
      place.script("device metadata 112\ndevice origin 64M\n" + create + "message checkpoint\n"),
      "", "Move the metadata to a larger device with era_dump and era_restore.\n");
  check_failure(place.script("bogus\n"), "", "era_simulate(8) lists all\n");
}

}  // namespace
