// Packed metadata (era_dump --pack): all that reads metadata says of it what it says of the device.
#include <filesystem>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::call;
using words = std::vector<std::string>;

// One name for both, so that messages are the same.
class two_forms {
 public:
  explicit two_forms(const std::string& metadata) {
    std::filesystem::create_directory(folder_ / "plain");
    std::filesystem::create_directory(folder_ / "packed");
    std::filesystem::copy_file(metadata, folder_ / "plain/m");
    const auto got = call("era_dump", {"--pack", folder_ / "packed/m", folder_ / "plain/m"});
    REQUIRE(got.err == "");
    REQUIRE(got.status == 0);
    REQUIRE(got.out == "");
  }

  std::string packed() const { return folder_ / "packed/m"; }

  void check_alike(const std::string& tool, const words& arguments) const {
    INFO(tool);
    const auto plain = in("plain", tool, arguments);
    const auto packed = in("packed", tool, arguments);
    CHECK(packed.status == plain.status);
    CHECK((packed.out == plain.out));
    CHECK(packed.err == plain.err);
  }

 private:
  harness::result in(const std::string& name, const std::string& tool,
                     const words& arguments) const {
    harness::run_options there;
    there.folder = folder_ / name;
    return call(tool, arguments, there);
  }

  harness::temporary_folder folder_;
};

void check_all_alike(const std::string& metadata) {
  const two_forms forms(metadata);
  forms.check_alike("era_check", {"m"});
  forms.check_alike("era_check", {"--metadata-snapshot", "m"});
  forms.check_alike("era_dump", {"--compact", "m"});
  forms.check_alike("era_dump", {"--compact", "--repair", "m"});
  forms.check_alike("era_invalidate", {"--written-since", "1", "m"});
  forms.check_alike("era_metadata_size", {"--used", "m"});
}

}  // namespace

TEST_CASE("packed metadata is read as the metadata of which it is") {
  const harness::temporary_folder folder;
  for (const auto& image : harness::some_images()) {
    INFO(image.name);
    image.unpack(folder / "metadata");
    check_all_alike(folder / "metadata");
  }
}

TEST_CASE("packed metadata has the damage of that of which it is") {
  const harness::temporary_folder folder;
  // The superblock's own fields: writeset tree, era array, space map; and the superblock itself.
  for (const std::size_t field : {200U, 208U, 60U, 68U}) {
    fixtures::unpack_damaged(harness::image_named("snap_held"), {field}, folder / "metadata");
    check_all_alike(folder / "metadata");
  }
  harness::write_file(folder / "metadata", std::string(100'000, 'x'));
  check_all_alike(folder / "metadata");
}

TEST_CASE("packed metadata is small, and goes through pipes") {
  const fixtures::bench bench;
  const auto packed = call("era_dump", {"--pack", "-", bench.metadata});
  REQUIRE(packed.status == 0);
  CHECK(packed.out.size() < std::filesystem::file_size(bench.metadata) / 100);
  harness::run_options from_us;
  from_us.input = packed.out;
  harness::make_zeroed(bench / "copy", std::filesystem::file_size(bench.metadata));
  const auto restored = call("era_restore", {"--unpack", "-", "-o", bench / "copy"}, from_us);
  CHECK(restored.err == "");
  CHECK(restored.status == 0);
  CHECK(call("era_check", {bench / "copy"}).status == 0);
  CHECK((fixtures::dump(bench / "copy") == fixtures::dump(bench.metadata)));
}

TEST_CASE("packed metadata that is cut off is refused, and the output left as it is") {
  const fixtures::bench bench;
  const std::string whole = call("era_dump", {"--pack", "-", bench.metadata}).out;
  harness::write_file(bench / "cut", whole.substr(0, whole.size() - 1));
  const auto checked = call("era_check", {bench / "cut"});
  CHECK(checked.status == 1);
  CHECK(checked.out == "");
  CHECK_THAT(checked.err, Contains(bench / "cut: the packed metadata is cut off"));
  const auto restored = call("era_restore", {"--unpack", bench / "cut", "-o", bench.device});
  CHECK(restored.status == 1);
  CHECK_THAT(restored.err, Contains("is cut off"));
  CHECK((harness::read_file(bench.device) == std::string(1 << 20, '\0')));
}

TEST_CASE("calls with --pack and --unpack that cannot be meant are refused") {
  const fixtures::bench bench;
  REQUIRE(call("era_dump", {"--pack", bench / "packed", bench.metadata}).status == 0);
  const std::string metadata = harness::read_file(bench.metadata);
  const std::pair<words, std::string> calls[] = {
      {{"era_dump", "--pack", bench / "x", "--logical", bench.metadata}, "exclude each other"},
      {{"era_dump", "--pack", bench / "x", "-o", bench / "y", bench.metadata},
       "exclude each other"},
      {{"era_dump", "--pack", bench.metadata, bench.metadata}, "is the input"},
      {{"era_dump", "--pack", "/dev/full", bench.metadata}, "No space left on device"},
      {{"era_restore", "--unpack", bench / "packed", "-i", bench.xml, "-o", bench.device},
       "exclude each other"},
      {{"era_restore", "--unpack", bench / "packed"}, "No output file provided"},
      {{"era_restore", "--unpack", bench.metadata, "-o", bench.device},
       "This is not packed metadata"},
      {{"era_restore", "--unpack", bench / "none", "-o", bench.device},
       "No such file or directory"},
      {{"era_restore", "--unpack", bench / "packed", "-o", bench / "packed"}, "is the input"},
  };
  for (const auto& [command, fact] : calls) {
    const auto got = call(command.front(), words(command.begin() + 1, command.end()));
    INFO(got.err);
    CHECK(got.status == 1);
    CHECK(got.out == "");
    CHECK_THAT(got.err, Contains(fact));
  }
  CHECK(!std::filesystem::exists(bench / "x"));
  CHECK((harness::read_file(bench.metadata) == metadata));
}
