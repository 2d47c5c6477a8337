// The file that remembers the era to ask for next: it moves on only when a list was complete, or
// when its copy was, and never to other metadata.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::call;

using words = std::vector<std::string>;

// Metadata in some state, and a since-file beside it.
class rounds {
  harness::temporary_folder folder_;

 public:
  rounds() { become(9, 1000, {{1, 8}, {2, 9}}); }

  std::string state() const { return folder_ / "state"; }
  std::string pending() const { return folder_ / "state.pending"; }
  std::string operator/(const std::string& name) const { return folder_ / name; }

  void become(std::uint32_t current_era, std::uint32_t nr_blocks,
              const std::map<std::uint32_t, std::uint32_t>& eras,
              std::uint32_t block_size = 128) const {
    fixtures::document document;
    document.block_size = block_size;
    document.nr_blocks = nr_blocks;
    document.current_era = current_era;
    document.eras = eras;
    fixtures::restore(document.xml(), folder_ / "metadata");
  }

  harness::result list(const words& more = {}) const {
    words all = {"--since-file", state(), "--format", "ranges"};
    all.insert(all.end(), more.begin(), more.end());
    all.push_back(folder_ / "metadata");
    return call("era_invalidate", all);
  }

  harness::result commit() const { return call("era_invalidate", {"--commit-since", state()}); }

  void check_list(const harness::result& got, const std::string& expected,
                  const std::string& remark = "") const {
    INFO(got.err);
    CHECK(got.status == 0);
    CHECK(got.out == expected);
    if (remark.empty()) {
      CHECK(got.err == "");
    } else {
      CHECK_THAT(got.err, Contains(remark));
    }
  }

  void check_refused(const harness::result& got, const std::string& reason) const {
    INFO(got.err);
    CHECK(got.status == 1);
    CHECK(got.out == "");
    CHECK_THAT(got.err, Contains(reason));
  }

  std::uint32_t remembered() const {
    return nlohmann::json::parse(harness::read_file(state())).at("next_since");
  }
};

}  // namespace

TEST_CASE("a since-file remembers the era to ask for next") {
  const rounds device;
  device.check_list(device.list(), "0 1000\n");
  CHECK(device.remembered() == 10);
  CHECK(harness::read_file(device.state()) ==
        "{\n  \"version\": 1,\n  \"next_since\": 10,\n  \"block_size_sectors\": 128,\n"
        "  \"nr_blocks\": 1000,\n  \"current_era\": 9,\n"
        "  \"in_progress\": false\n}\n");
  device.check_list(device.list(), "");
  device.become(12, 1000, {{1, 8}, {2, 9}, {3, 10}, {4, 12}});
  device.check_list(device.list(), "3 5\n");
  CHECK(device.remembered() == 13);
  CHECK(fixtures::names_in(device / ".") == std::set<std::string>{"metadata", "state"});
}

TEST_CASE("a pending state waits for its commit") {
  const rounds device;
  device.check_list(device.list({"--pending"}), "0 1000\n");
  CHECK_FALSE(std::filesystem::exists(device.state()));
  device.check_list(device.list({"--pending"}), "0 1000\n");
  const auto committed = device.commit();
  CHECK(committed.status == 0);
  CHECK(committed.out + committed.err == "");
  CHECK(device.remembered() == 10);
  CHECK_FALSE(std::filesystem::exists(device.pending()));

  device.become(12, 1000, {{3, 10}, {4, 12}});
  device.check_list(device.list({"--pending"}), "3 5\n");
  CHECK(device.remembered() == 10);
  device.check_list(device.list({"--pending"}), "3 5\n");
  device.commit();
  CHECK(device.remembered() == 13);
  const auto again = device.commit();
  device.check_refused(again, "state.pending: No such file or directory");
  CHECK_THAT(again.err, Contains("Nothing is pending for "));
}

TEST_CASE("a round that fails does not move on") {
  const rounds device;
  device.list();
  device.become(12, 1000, {{3, 10}});
  const auto before = harness::read_file(device.state());
  const auto unchanged = [&] { return harness::read_file(device.state()) == before; };
  CHECK(device.list({"-o", "/dev/full"}).status == 1);
  CHECK(unchanged());
  CHECK(device.list({"-o", device / "no/folder"}).status == 1);
  CHECK(unchanged());
  CHECK(device.list({"--origin-size", "1k"}).status == 1);
  CHECK(unchanged());
  harness::run_options closed;
  closed.stdout_path = "/dev/full";
  CHECK(call("era_invalidate", {"--since-file", device.state(), device / "metadata"}, closed)
            .status == 1);
  CHECK(unchanged());
  // A summary is no list.
  CHECK_THAT(device.list({"--summary", "--format", "json"}).err, Contains("given twice"));
  CHECK(call("era_invalidate", {"--since-file", device.state(), "--summary", device / "metadata"})
            .out == "blocks 1\nbytes 65536\nranges 1\nnext_since 13\n");
  CHECK(unchanged());
  device.check_list(device.list(), "3 4\n");
  CHECK(device.remembered() == 13);
}

TEST_CASE("a device that has grown or shrunk is reported, and what it has gained is listed") {
  const rounds device;
  device.list();
  device.become(10, 1200, {{2, 10}});
  device.check_list(device.list({"--pending"}), "2 3\n1000 1200\n",
                    "grown from 1000 to 1200 data blocks since the last list; those it has gained "
                    "are listed");
  device.become(10, 900, {{2, 10}});
  device.check_list(device.list({"--pending"}), "2 3\n",
                    "shrunk from 1000 to 900 data blocks since the last list\n");
}

TEST_CASE("other metadata is refused") {
  const rounds device;
  device.list();
  device.become(8, 1000, {});
  device.check_refused(device.list(), "the current era is 8, last time it was 9");
  device.become(12, 1000, {}, 64);
  device.check_refused(device.list(), "data blocks have 64 sectors, last time they had 128");
  CHECK(device.remembered() == 10);
}

TEST_CASE("a since-file that is damaged is refused") {
  const rounds device;
  device.list();
  const auto good = harness::read_file(device.state());
  for (const std::string& wrong :
       {std::string(), good.substr(0, good.size() / 2), std::string("7\n"), std::string("<xml/>"),
        std::string(100000, '['), good + good, std::string(4096, '\0')}) {
    harness::write_file(device.state(), wrong);
    device.check_refused(device.list(), "state: not a state that a list left");
    harness::write_file(device.pending(), wrong);
    device.check_refused(device.commit(), "state.pending: not a state that a list left");
    CHECK(harness::read_file(device.state()) == wrong);
  }
  std::filesystem::remove(device.state());
  std::filesystem::create_directory(device.state());
  device.check_refused(device.list(), "not a regular file");
}

TEST_CASE("a pending state that is older than the committed one is refused") {
  const rounds device;
  device.list({"--pending"});
  const auto old = harness::read_file(device.pending());
  device.commit();
  device.become(12, 1000, {});
  device.list();
  harness::write_file(device.pending(), old);
  device.check_refused(device.commit(), "asks for era 10, which is before era 13");
}

TEST_CASE("since-files and other options exclude each other where they make no sense together") {
  const rounds device;
  device.check_refused(device.list({"--written-since", "3"}), "exclude each other");
  device.check_refused(
      call("era_invalidate", {"--pending", "--written-since", "1", device / "metadata"}),
      "--pending goes with --since-file");
  device.check_refused(
      call("era_invalidate", {"--commit-since", device.state(), device / "metadata"}),
      "--commit-since goes with no list");
  device.check_refused(call("era_invalidate", {"--pending", "--summary", "--since-file",
                                               device.state(), device / "metadata"}),
                       "--pending goes with a list");
}
