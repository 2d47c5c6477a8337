// The lists in the hands of those who read them: a base copy, changes, only the list copied, and
// the copy equals the origin, the partial last block included.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.h"
#include "changed_device.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using fixtures::call;
using fixtures::changed_device;

// A shell command that copies by $list from $source to $target.
struct consumer {
  std::string name;
  std::vector<std::string> options;  // of era_invalidate
  std::vector<std::string> programs;
  std::string command;
  bool wants_device = false;  // a regular file would be cut to nothing first
  bool copies_more = false;   // whole requests of its own, of which a part is listed
};

// Lets the consumer copy onto what is there, and returns what comes out.
std::string copied(const consumer& by, const changed_device& device, const std::string& onto) {
  const std::string target = device / "target";
  harness::write_file(target, onto);
  harness::write_file(device / "list", device.list(by.options));
  const auto copy = [&](const std::string& path) {
    const auto got =
        harness::run({"bash", "-ec", "list=$0 source=$1 target=$2; cd \"$3\"; " + by.command,
                      device / "list", device / "origin", path, device / "."});
    INFO(by.name << ": " << got.out << got.err);
    CHECK(got.status == 0);
  };
  if (!by.wants_device) {
    copy(target);
    return harness::read_file(target);
  }
  fixtures::loop_device loop(target);
  if (!loop.available()) {
    return "";
  }
  copy(loop.path());
  return harness::read_file(loop.path());
}

// Makes zeros of some of what is listed: a copy must have these like all others.
std::string origin_with_zeros(const changed_device& device) {
  std::string origin = device.origin();
  const auto listed = device.listed();
  for (std::size_t i = 0; i < listed.size(); i += 3) {
    std::fill(origin.begin() + static_cast<std::ptrdiff_t>(listed[i].begin),
              origin.begin() + static_cast<std::ptrdiff_t>(listed[i].end), '\0');
  }
  harness::write_file(device / "origin", origin);
  return origin;
}

void check_consumer(const consumer& by) {
  if (!fixtures::has_programs(by.programs)) {
    return;
  }
  const changed_device device;
  const std::string origin = origin_with_zeros(device);
  const std::string got = copied(by, device, device.base());
  if (got.empty()) {
    return;  // the loop device has said why
  }
  const bool equal = got == origin;  // nobody wants to see 20 MB that are not
  CHECK(equal);
  // And only the list was copied.
  const std::string unlike(origin.size(), 'u');
  std::string overlaid = unlike;
  for (const auto& one : device.listed()) {
    overlaid.replace(one.begin, one.end - one.begin, origin, one.begin, one.end - one.begin);
  }
  const bool only_the_list = copied(by, device, unlike) == overlaid;
  CHECK(only_the_list == !by.copies_more);
  harness::print_table({{"consumer", "of the origin", "listed", "copy == origin", "command"},
                        {by.name, std::to_string(device.origin().size()),
                         std::to_string(device.listed_bytes()), equal ? "yes" : "NO", by.command}});
}

// Copies lines of "begin end" in bytes, from standard input.
const std::string copy_ranges =
    R"(while read -r begin end; do dd if="$source" of="$target" bs=64k conv=notrunc status=none )"
    R"(iflag=skip_bytes,count_bytes oflag=seek_bytes skip="$begin" seek="$begin" )"
    R"(count=$((end - begin)); done)";

}  // namespace

TEST_CASE("ddrescue copies by a mapfile") {
  check_consumer({"ddrescue",
                  {"--format", "ddrescue"},
                  {"ddrescue"},
                  R"(rm -f outmap; ddrescue -q --force -m "$list" "$source" "$target" outmap)"});
}

TEST_CASE("nbdcopy copies by an extent list through nbdkit") {
  check_consumer({"nbdkit, nbdcopy",
                  {"--format", "extentlist"},
                  {"nbdkit", "nbdcopy"},
                  R"(nbdkit -r -U - --filter=extentlist file "$source" extentlist="$list" )"
                  R"(--run "nbdcopy --destination-is-zero --sparse=0 \"\$uri\" '$target'")",
                  true,
                  true});
}

TEST_CASE("bmaptool copies by a bmap") {
  check_consumer({"bmaptool",
                  {"--format", "bmap"},
                  {"bmaptool"},
                  R"(bmaptool -q copy --bmap "$list" "$source" "$target")",
                  true});
}

TEST_CASE("a shell copies by ranges and by blocks") {
  check_consumer({"ranges in bytes",
                  {"--format", "ranges", "--unit", "bytes"},
                  {"dd"},
                  copy_ranges + R"( <"$list")"});
  check_consumer({"blocks",
                  {"--format", "blocks"},
                  {"dd"},
                  R"(while read -r block; do dd if="$source" of="$target" bs=64k conv=notrunc )"
                  R"(status=none skip="$block" seek="$block" count=1; done <"$list")"});
}

TEST_CASE("jq takes the ranges out of JSON, whole or compact") {
  check_consumer({"jq",
                  {"--format", "json"},
                  {"jq"},
                  R"sh(jq -r '.block_size_bytes as $b | .origin_bytes as $o | .ranges[] | )sh"
                  R"sh("\(.begin * $b) \([.end * $b, $o] | min)"' "$list" | )sh" +
                      copy_ranges});
  check_consumer({"jq, compact",
                  {"--format", "json", "--compact", "--unit", "bytes"},
                  {"jq"},
                  R"sh(jq -r '.ranges[] | "\(.[0]) \(.[0] + .[1])"' "$list" | )sh" + copy_ranges});
}

// As backup programs take the hints of rbd: a JSON array of objects with these members, ascending,
// within the device.
TEST_CASE("hints in the grammar of rbd diff name what was listed") {
  const changed_device device;
  const auto hints = nlohmann::json::parse(device.list({"--format", "rbd-diff"}));
  const auto listed = device.listed();
  REQUIRE(hints.size() == listed.size());
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < hints.size(); ++i) {
    CHECK(hints[i].size() == 3);
    CHECK(hints[i].at("exists") == "true");
    const std::uint64_t offset = hints[i].at("offset");
    const std::uint64_t length = hints[i].at("length");
    CHECK(offset == listed[i].begin);
    CHECK(offset + length == listed[i].end);
    CHECK(offset >= before);
    before = offset + length;
  }
  CHECK(before == device.origin().size());
}

TEST_CASE("a bitmap has the bits of the blocks that are listed") {
  const changed_device device;
  const std::string bytes = device.list({"--format", "bitmap"});
  const auto& shape = device.is_of();
  CHECK(bytes.size() == (shape.origin_sectors / shape.block_sectors + 1 + 7) / 8);
  std::string lines;
  for (std::size_t i = 0; i < 8 * bytes.size(); ++i) {
    if ((static_cast<unsigned char>(bytes[i / 8]) >> i % 8 & 1) != 0) {
      lines += std::to_string(i) + "\n";
    }
  }
  CHECK(lines == device.list({"--format", "blocks"}));
}

TEST_CASE("a coarser or finer list copies as well") {
  for (const std::string granularity : {"512", "24k", "1M"}) {
    const changed_device device;
    const consumer by{"ranges, granularity " + granularity,
                      {"--format", "ranges", "--unit", "bytes", "--granularity", granularity},
                      {},
                      copy_ranges + R"( <"$list")"};
    const bool equal = copied(by, device, device.base()) == device.origin();
    CHECK(equal);
  }
}
