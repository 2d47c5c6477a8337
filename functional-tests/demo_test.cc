// scripts/demo with the tools that are built: it tells its story to the end, and a tool that does
// not do its part ends it.
#include <filesystem>
#include <string>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;

const std::string demo = SOURCE_FOLDER "/scripts/demo";

std::string tool_folder() {
  return std::filesystem::path(harness::tool("era_check")).parent_path().string();
}

}  // namespace

TEST_CASE("the demo tells the story of a backup", "[sources]") {
  const auto got = harness::run({demo, tool_folder()});
  CHECK(got.status == 0);
  CHECK(got.err == "");
  CHECK_THAT(got.out, Contains("$ era_copy --since-file backup.state metadata disk backup\n"
                               "round 1: 2228224 bytes in 2 ranges, written since era 2"));
  CHECK_THAT(got.out, Contains("# What to read next"));
}

TEST_CASE("the demo shows what a copy by the older tools misses", "[sources]") {
  if (!fixtures::peer_is_here()) {
    return;
  }
  const auto got = harness::run({demo, tool_folder()});
  CHECK(got.status == 0);
  CHECK_THAT(got.out, Contains("of thin-provisioning-tools:"));
  CHECK_THAT(got.out, Contains("A copy by this list has 32\n"));
}

TEST_CASE("the demo ends where a copy is not equal", "[sources]") {
  const harness::temporary_folder folder;
  for (const std::string name : {"era_check", "era_invalidate", "era_simulate"}) {
    std::filesystem::create_symlink(harness::tool(name), folder / name);
  }
  harness::write_file(folder / "era_copy", "#!/bin/sh\ncp --sparse=always /dev/null \"$5\"\n");
  std::filesystem::permissions(folder / "era_copy", std::filesystem::perms(0755));
  const auto got = harness::run({demo, folder.path()});
  CHECK(got.status != 0);
  CHECK_THAT(got.err, Contains("cmp: "));
}
