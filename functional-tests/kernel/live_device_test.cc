// The tools on a device that is in use, within the guest, and on what a kernel leaves after its
// counter of eras has come to its end and gone on with 0.
#include "live_device.h"

#include <nlohmann/json.hpp>
#include <string>

#include "../catch.h"
#include "../dump_parser.h"
#include "../fixtures.h"
#include "../harness.h"
#include "guest.h"

using Catch::Contains;
using kernel::part;

TEST_CASE("the tools read the metadata snapshot of a device in use, and nothing else of it",
          "[both]") {
  if (!kernel::available()) {
    return;
  }
  kernel::live_device device;
  harness::make_zeroed(device.metadata(), 1 << 20);
  const auto out = device.run(R"(
era_create era "$metadata" "$origin" 131072 128
write_direct era 0 256
dm_message era checkpoint
write_direct era 1280 128
refused era_check --metadata-snapshot "$metadata"
dm_message era take_metadata_snap
write_direct era 12800 128
dm_message era checkpoint
write_direct era 25600 128
for tool in "era_check" "era_dump" "era_invalidate --written-since 0"; do
  refused $tool "$metadata"
done
echo "== check"
era_check --metadata-snapshot --format json "$metadata"
echo "== list since 1"
era_invalidate --metadata-snapshot --written-since 1 "$metadata"
echo "== list since 3"
era_invalidate --metadata-snapshot --written-since 3 "$metadata"
refused era_invalidate --metadata-snapshot --written-since 4 "$metadata"
dm_message era drop_metadata_snap
refused era_check --metadata-snapshot "$metadata"
era_remove era
)");
  const auto report = nlohmann::json::parse(part(out, "check"));
  CHECK(report.at("problems").empty());
  CHECK(report.at("source") == "snapshot");
  CHECK(report.at("current_era") == 3);
  CHECK(report.at("nr_blocks") == 1024);
  CHECK(report.at("metadata_blocks_total") == 256);
  CHECK(report.at("metadata_blocks_used") > 10);
  CHECK(part(out, "list since 1") ==
        "<blocks>\n  <range begin=\"0\" end = \"2\"/>\n  <block block=\"10\"/>\n</blocks>\n");
  CHECK(part(out, "list since 3") == "<blocks>\n</blocks>\n");
}

TEST_CASE(
    "metadata whose counter has wrapped is refused, and repaired to be all on the safe side") {
  if (!kernel::available()) {
    return;
  }
  kernel::live_device device;
  const fixtures::document nearly_at_the_end = {128, 1024, 4294967293, {}, {{7, 4294967290}}};
  fixtures::restore(nearly_at_the_end.xml(), device.metadata());
  device.run(R"(
era_create era "$metadata" "$origin" 131072 128
write_direct era 0 128
dm_message era checkpoint
write_direct era 128 128
dm_message era checkpoint
write_direct era 256 128
era_status era
era_remove era
)");
  const auto checked = device.tell("era_check", {});
  INFO(checked.out);
  CHECK(checked.status == 1);
  CHECK_THAT(checked.out, Contains("era-above-current") || Contains("writeset-era"));
  for (const std::string since : {"0", "1"}) {
    const auto listed = device.tell("era_invalidate", {"--written-since", since});
    CHECK(listed.status == 1);
    CHECK(listed.out == "");
  }
  for (const auto& options : {std::vector<std::string>{}, {"--logical"}}) {
    const auto dumped = device.tell("era_dump", options);
    CHECK(dumped.status == 1);
    CHECK(dumped.out == "");
  }

  const auto repaired = device.tell("era_dump", {"--repair"});
  REQUIRE(repaired.status == 0);
  CHECK(harness::parse_dump(repaired.out).current_era >= 4294967294);
  fixtures::restore(repaired.out, device / "restored");
  CHECK(harness::run({harness::tool("era_check"), device / "restored"}).status == 0);
}
