// What option -o makes of a file that is there: it stays what it was, and holds the whole result or
// what it held before.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "catch.h"
#include "faults.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using Catch::StartsWith;
using fixtures::bench;
using fixtures::names_in;

using words = std::vector<std::string>;

constexpr uid_t nobody = 65534;

const words& writers() {
  static const words names = {"era_dump", "era_invalidate"};
  return names;
}

struct stat stat_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info;
}

unsigned mode_of(const std::string& path) {
  return stat_of(path).st_mode & 07777;
}

void set_owner_and_mode(const std::string& path, uid_t owner, mode_t mode) {
  REQUIRE(::chown(path.c_str(), owner, owner) == 0);
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

bool is_root() {
  if (::geteuid() != 0) {
    std::printf("skipped: only root can set this up\n");
    return false;
  }
  return true;
}

// Runs a bash script with "$@" the call of the tool that writes to `output`.
harness::result run_in_bash(const bench& bench, const std::string& script, const std::string& tool,
                            const std::string& output) {
  words command = {"bash", "-c", script, output, harness::tool(tool)};
  const words arguments = bench.arguments(tool, bench.metadata, {"-o", output});
  command.insert(command.end(), arguments.begin(), arguments.end());
  return harness::run(command);
}

words call_with_fault(const bench& bench, const std::string& fault, const std::string& tool,
                      const words& options) {
  words command = {harness::tool(tool)};
  const words arguments = bench.arguments(tool, bench.metadata, options);
  command.insert(command.end(), arguments.begin(), arguments.end());
  return faults::with(fault, command);
}

}  // namespace

TEST_CASE("option -o keeps several hard links one file", "[output]") {
  const bench bench;
  const auto path = bench / "result";
  harness::write_file(path, std::string(1 << 20, 'x'));
  std::filesystem::create_hard_link(path, bench / "other");
  const auto names = names_in(bench.path());
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, bench.metadata, {"-o", path});
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(harness::read_file(bench / "other") == bench.read(tool, bench.metadata).out);
      CHECK(names_in(bench.path()) == names);
    }
  }
}

TEST_CASE("option -o keeps the owner of a file, and no setuid bit", "[output]") {
  if (!is_root()) {
    return;
  }
  const bench bench;
  const auto path = bench / "result";
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      harness::write_file(path, "old");
      set_owner_and_mode(path, nobody, 06666);
      CHECK(bench.read(tool, bench.metadata, {"-o", path}).status == 0);
      CHECK(stat_of(path).st_uid == nobody);
      CHECK(stat_of(path).st_gid == nobody);
      CHECK(mode_of(path) == 0666);
      CHECK(harness::read_file(path) == bench.read(tool, bench.metadata).out);
    }
  }
}

TEST_CASE("option -o of a user writes where a rename is not allowed", "[output]") {
  if (!is_root() || !fixtures::nobody_can_run_tools()) {
    return;
  }
  const bench bench;
  std::filesystem::create_directory(bench / "folder");
  const auto path = bench / "folder/result";
  harness::run_options options;
  options.as_nobody = true;
  REQUIRE(::chmod(bench.metadata.c_str(), 0644) == 0);
  for (const auto& tool : writers()) {
    for (const bool is_sticky : {false, true}) {
      DYNAMIC_SECTION(tool << (is_sticky ? ", a sticky folder" : ", a folder not writable")) {
        harness::write_file(path, "old");
        set_owner_and_mode(path, 0, 0666);
        set_owner_and_mode(bench / "folder", 0, is_sticky ? 01777 : 0755);
        const auto result = bench.read(tool, bench.metadata, {"-o", path}, options);
        CHECK(result.status == 0);
        CHECK(result.err == "");
        CHECK(harness::read_file(path) == bench.read(tool, bench.metadata).out);
        CHECK(stat_of(path).st_uid == 0);
        CHECK(mode_of(path) == 0666);
        CHECK(names_in(bench / "folder") == std::set<std::string>{"result"});
      }
    }
  }
}

TEST_CASE("option -o writes to a file that is mounted", "[output]") {
  const bench bench;
  const auto path = bench / "result";
  // The second as containers have it: all is read-only but for the file.
  const std::string script =
      GENERATE("mount --bind \"$0.mounted\" \"$0\" || exit 99; \"$@\"",
               "mount --bind \"$0.mounted\" \"$0\" && cd \"${0%/*}\" && mount --bind . . &&"
               " mount -o remount,ro,bind . && mount --bind result.mounted result || exit 99;"
               " mount -o remount,rw,bind result || exit 99; \"$@\"");
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool << " " << script.size()) {
      harness::write_file(path, "beneath");
      harness::write_file(path + ".mounted", "old");
      words command = {"unshare", "-m", "bash", "-c", script, path, harness::tool(tool)};
      const words arguments = bench.arguments(tool, bench.metadata, {"-o", path});
      command.insert(command.end(), arguments.begin(), arguments.end());
      const auto names = names_in(bench.path());
      const auto result = harness::run(command);
      if (result.status == 99 || result.err.find("unshare") != std::string::npos) {
        std::printf("skipped: nothing can be mounted here\n");
        return;
      }
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(harness::read_file(path) == "beneath");
      CHECK(harness::read_file(path + ".mounted") == bench.read(tool, bench.metadata).out);
      CHECK(names_in(bench.path()) == names);
    }
  }
}

TEST_CASE("option -o makes what a dangling link leads to", "[output]") {
  const bench bench;
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      std::filesystem::create_symlink("target", bench / "link");
      CHECK(bench.read(tool, bench.metadata, {"-o", bench / "link"}).status == 0);
      CHECK(std::filesystem::is_symlink(bench / "link"));
      CHECK(harness::read_file(bench / "target") == bench.read(tool, bench.metadata).out);
    }
  }
}

TEST_CASE("option -o takes the longest names", "[output]") {
  const bench bench;
  const auto path = bench / std::string(255, 'n');
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      CHECK(bench.read(tool, bench.metadata, {"-o", path}).err == "");
      CHECK(harness::read_file(path) == bench.read(tool, bench.metadata).out);
    }
  }
}

TEST_CASE("option -o gives a new file the mode that the umask leaves", "[output]") {
  const bench bench;
  const auto path = bench / "result";
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      CHECK(run_in_bash(bench, "umask 027; \"$@\"", tool, path).status == 0);
      CHECK(mode_of(path) == 0640);
    }
  }
}

TEST_CASE("option -o to a block device", "[output]") {
  const bench bench;
  const auto image = bench / "image";
  const std::string old(4096, 'o');
  harness::write_file(image, old);
  fixtures::loop_device device(image);
  if (!device.available()) {
    return;
  }
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto expected = bench.read(tool, bench.metadata).out;
      const auto result = bench.read(tool, bench.metadata, {"-o", device.path()});
      if (expected.size() > old.size()) {
        CHECK(result.status == 1);
        CHECK_THAT(result.err, StartsWith(device.path() + ": is too small: the result has " +
                                          std::to_string(expected.size()) + " bytes"));
        CHECK((harness::read_file(device.path()) == old));
      } else {
        CHECK(result.status == 0);
        CHECK((harness::read_file(device.path()) == expected + old.substr(expected.size())));
      }
    }
    DYNAMIC_SECTION(tool << ", in use") {
      device.occupy();
      const auto result = bench.read(tool, bench.metadata, {"-o", device.path()});
      CHECK(result.status == 1);
      CHECK_THAT(result.err, StartsWith(device.path() + ": Device or resource busy\n"));
      CHECK_THAT(result.err, Contains("deactivate"));
    }
  }
}

TEST_CASE("option -o does not write into a file that a loop device has", "[output]") {
  const bench bench;
  const auto image = bench / "image";
  const std::string old(65536, 'o');
  harness::write_file(image, old);
  std::filesystem::create_hard_link(image, bench / "other");
  const fixtures::loop_device device(image);
  if (!device.available()) {
    return;
  }
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, bench.metadata, {"-o", image});
      CHECK(result.status == 1);
      CHECK_THAT(result.err, StartsWith(image + ": is in use: " + device.path()));
      CHECK((harness::read_file(device.path()) == old));
    }
  }
}

TEST_CASE("of a loop device and the file beneath it, none is an output for the other", "[output]") {
  const bench bench;
  const auto before = harness::read_file(bench.metadata);
  const fixtures::loop_device device(bench.metadata);
  if (!device.available()) {
    return;
  }
  // The paths are made anew in each run of a section.
  const bool reads_the_device = GENERATE(false, true);
  const std::string input = reads_the_device ? device.path() : bench.metadata;
  const std::string output = reads_the_device ? bench.metadata : device.path();
  const std::string reason = reads_the_device ? "is the file beneath the input" : device.path();
  for (const auto& tool : writers()) {
    INFO(tool << " " << input << " -o " << output);
    const auto result = bench.read(tool, input, {"-o", output});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains(reason));
    CHECK((harness::read_file(bench.metadata) == before));
  }
}

TEST_CASE("option -o says that a file is whole if only its folder is not flushed", "[output]") {
  if (!faults::available()) {
    return;
  }
  const bench bench;
  const auto path = bench / "result";
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = harness::run(call_with_fault(bench, "fsync folder", tool, {"-o", path}));
      CHECK(result.status == 1);
      CHECK_THAT(result.err, StartsWith(path + ": is whole and in place") &&
                                 Contains("Input/output error") && Contains("power cut"));
      CHECK(harness::read_file(path) == bench.read(tool, bench.metadata).out);
    }
  }
}

TEST_CASE("option -o where files cannot be renamed", "[output]") {
  if (!faults::available()) {
    return;
  }
  const bench bench;
  const auto path = bench / "result";
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool << ", a new file") {
      const auto names = names_in(bench.path());
      const auto result = harness::run(call_with_fault(bench, "rename", tool, {"-o", path}));
      CHECK(result.status == 1);
      CHECK(result.err == path + ": Invalid cross-device link\n");
      CHECK(names_in(bench.path()) == names);
    }
    DYNAMIC_SECTION(tool << ", a file that exists") {
      harness::write_file(path, "old");
      const auto names = names_in(bench.path());
      const auto result = harness::run(call_with_fault(bench, "rename", tool, {"-o", path}));
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(harness::read_file(path) == bench.read(tool, bench.metadata).out);
      CHECK(names_in(bench.path()) == names);
    }
  }
}

TEST_CASE("an interrupted flush is made again", "[output]") {
  if (!faults::available()) {
    return;
  }
  const bench bench;
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto result =
          harness::run(call_with_fault(bench, "fsync interrupted", tool, {"-o", bench / "result"}));
      CHECK(result.status == 0);
      CHECK(result.err == "");
    }
  }
}
