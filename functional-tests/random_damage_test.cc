// era_repair on metadata of a real kernel with random damage: whatever was hit, a backup from the
// result misses nothing. The same damage is given to the peer's repair, for comparison.
//
// The environment variable ERA_LONG=1 asks for thousands of cases instead of a few.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <random>

#include "catch.h"
#include "dump_parser.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

using fixtures::call;
using harness::metadata_bytes;
using words = std::vector<std::string>;

constexpr auto block_bytes = harness::metadata_block_size;

// Metadata before it is damaged, and what is true of it.
struct subject {
  std::string name;
  std::string bytes;
  std::vector<std::uint64_t> used;
  std::vector<std::uint32_t> eras;
  std::uint32_t current_era = 0;
  std::uint32_t block_size = 0;
};

std::vector<subject> subjects() {
  std::vector<subject> all;
  for (const auto& image : harness::images()) {
    constexpr std::uint64_t most = 40'000;  // data blocks, for the sake of time
    if (image.live.nr_blocks > 0 && image.live.nr_blocks <= most) {
      const metadata_bytes metadata(image);
      all.push_back({image.name, metadata.bytes(), metadata.used_blocks(), image.live.eras(),
                     image.live.current_era, image.block_size});
    }
  }
  return all;
}

class damager {
 public:
  damager(const subject& of, std::mt19937_64& random)
      : bytes_(of.bytes), used_(of.used), random_(random) {}

  void zero(std::uint64_t block) {
    bytes_.replace(block * block_bytes, block_bytes, block_bytes, '\0');
  }
  void flip(std::uint64_t block) {
    for (auto left = 1 + random_() % 8; left > 0; --left) {
      char& byte = bytes_[block * block_bytes + random_() % block_bytes];
      byte = static_cast<char>(byte ^ static_cast<char>(1 + random_() % 255));
    }
  }
  void swap(std::uint64_t block) {
    const auto other = any_used();
    const auto kept = at(block);
    put(block, at(other));
    put(other, kept);
  }
  void overwrite(std::uint64_t block) { put(block, at(any_used())); }
  void scribble(std::uint64_t block) {
    std::string noise(block_bytes, '\0');
    std::generate(noise.begin(), noise.end(), [&] { return static_cast<char>(random_()); });
    put(block, noise);
  }

  std::uint64_t any_used() const { return used_[random_() % used_.size()]; }
  std::string at(std::uint64_t block) const {
    return bytes_.substr(block * block_bytes, block_bytes);
  }
  void put(std::uint64_t block, const std::string& what) {
    bytes_.replace(block * block_bytes, block_bytes, what);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  const std::vector<std::uint64_t>& used_;
  std::mt19937_64& random_;
};

using damage = std::function<void(damager&, std::mt19937_64&)>;

// 1 to 50 blocks that are in use.
damage to_some_blocks(void (damager::*how)(std::uint64_t)) {
  return [how](damager& on, std::mt19937_64& random) {
    const auto most = std::uint64_t{1} << random() % 7;  // few blocks as often as many
    for (auto left = 1 + random() % std::min<std::uint64_t>(50, most); left > 0; --left) {
      (on.*how)(on.any_used());
    }
  };
}

struct kind {
  std::string name;
  damage inflict;
};

std::vector<kind> kinds() {
  const auto superblock_too = [](const damage& rest) {
    return [rest](damager& on, std::mt19937_64& random) {
      switch (random() % 3) {
        case 0:
          on.zero(0);
          break;
        case 1:
          on.flip(0);
          break;
        default:
          on.scribble(0);
      }
      if (random() % 2 == 0) {
        rest(on, random);
      }
    };
  };
  return {{"superblock lost", superblock_too(to_some_blocks(&damager::flip))},
          {"overwritten by others", to_some_blocks(&damager::overwrite)},
          {"overwritten by noise", to_some_blocks(&damager::scribble)},
          {"zeroed", to_some_blocks(&damager::zero)},
          {"bytes flipped", to_some_blocks(&damager::flip)},
          {"swapped", to_some_blocks(&damager::swap)}};
}

// Where metadata is damaged, and where repaired.
struct place {
  harness::temporary_folder folder;
  std::string damaged = folder / "damaged";
  std::string repaired = folder / "repaired";
  std::string xml = folder / "xml";

  void prepare(const std::string& bytes) const {
    harness::write_file(damaged, bytes);
    harness::make_zeroed(repaired, bytes.size());
  }
};

// Whether the repair gave a result.
bool repair_by_us(const place& at, const subject& of) {
  const auto done =
      call("era_repair", {"--data-block-size", std::to_string(of.block_size), "--nr-blocks",
                          std::to_string(of.eras.size()), "-i", at.damaged, "-o", at.repaired});
  INFO(of.name << ": " << done.out << done.err);
  CHECK(done.status == 0);
  const auto checked = call("era_check", {at.repaired});
  INFO(checked.out << checked.err);
  CHECK(checked.status == 0);
  return done.status == 0;
}

bool repair_by_peer(const place& at) {
  const auto& tools = fixtures::peer_folder();
  harness::run_options bounded;
  bounded.seconds = 20;
  if (fixtures::peer_version() != "0.9.0") {
    return harness::run({tools + "/pdata_tools", "era_repair", "-i", at.damaged, "-o", at.repaired},
                        bounded)
               .status == 0;
  }
  return harness::run({tools + "/era_dump", "--repair", "-o", at.xml, at.damaged}, bounded)
                 .status == 0 &&
         harness::run({tools + "/era_restore", "-i", at.xml, "-o", at.repaired}, bounded).status ==
             0;
}

struct tally {
  unsigned cases = 0;
  unsigned refused = 0;
  unsigned with_misses = 0;
  std::uint64_t missed = 0;
  std::uint64_t too_many = 0;  // blocks that are listed though nothing was written

  void count(const std::string& path, const subject& of) {
    ++cases;
    const auto dumped = call("era_dump", {"--logical", path});
    if (dumped.status != 0) {
      ++refused;
      return;
    }
    const auto found = harness::parse_dump(dumped.out);
    std::uint64_t here = 0;
    for (std::size_t block = 0; block < of.eras.size(); ++block) {
      const auto era = block < found.era_array.size() ? found.era_array[block] : 0;
      here += era < of.eras[block] ? 1 : 0;
      too_many += era > of.eras[block] ? 1 : 0;
    }
    missed += here;
    with_misses += here > 0 ? 1 : 0;
  }

  words row(const std::string& kind_name, const std::string& whose) const {
    return {kind_name,
            whose,
            std::to_string(cases),
            std::to_string(refused),
            std::to_string(with_misses),
            std::to_string(missed),
            std::to_string(too_many)};
  }
};

const words heading = {"damage",       "repaired by",   "cases",   "refused",
                       "short in ...", "blocks missed", "too many"};

// Metadata in two states, some days apart; the newer one is the subject.
struct aged {
  subject now;
  std::string before;
};

aged make_aged(std::uint64_t seed) {
  const harness::temporary_folder folder;
  harness::run_options here;
  here.folder = folder.path();
  std::mt19937_64 random(seed);
  const auto some_eras = [&] {
    std::string script;
    for (int era = 0; era < 6; ++era) {
      for (int i = 0; i < 40; ++i) {
        script += "write " + std::to_string(random() % 8000 * 8) + " 8\n";
      }
      script += "message checkpoint\n";
      script += era % 2 == 0 ? "step 40\n" : "";
    }
    return script + "remove\n";
  };
  const auto run = [&](const std::string& script) {
    here.input = script;
    const auto done = call("era_simulate", {}, here);
    INFO(done.out << done.err);
    REQUIRE(done.status == 0);
    return harness::read_file(folder / "metadata");
  };
  const std::string table = "0 64000 era metadata origin 8\n";
  aged made;
  made.before = run("device metadata 1024\ndevice origin 64000\ncreate " + table + some_eras());
  made.now.bytes = run("create " + table + some_eras());
  const auto dumped = harness::parse_dump(fixtures::dump(folder / "metadata", {"--logical"}));
  made.now.name = "simulated";
  made.now.eras = dumped.era_array;
  made.now.current_era = dumped.current_era;
  made.now.block_size = dumped.block_size;
  for (std::uint64_t block = 1; block < made.now.bytes.size() / block_bytes; ++block) {
    const auto old = made.before.substr(block * block_bytes, block_bytes);
    if (made.now.bytes.compare(block * block_bytes, block_bytes, old) != 0 &&
        old.find_first_not_of('\0') != std::string::npos) {
      made.now.used.push_back(block);
    }
  }
  return made;
}

}  // namespace

TEST_CASE("no random damage makes a backup from repaired metadata miss a block", "[slow]") {
  const auto all = subjects();
  REQUIRE(all.size() >= 10);
  const unsigned cases = harness::at_length() ? 500 : 12;
  const bool with_peer = harness::at_length() && fixtures::peer_is_here();
  const place at;
  for (const auto& [name, inflict] : kinds()) {
    tally ours;
    tally peers;
    for (std::uint64_t seed = 1; seed <= cases; ++seed) {
      std::mt19937_64 random(seed);
      const auto& of = all[random() % all.size()];
      INFO(name << ", seed " << seed << ", " << of.name);
      damager on(of, random);
      inflict(on, random);
      at.prepare(on.bytes());
      if (repair_by_us(at, of)) {
        ours.count(at.repaired, of);
      }
      CHECK(ours.missed == 0);
      if (with_peer) {
        at.prepare(on.bytes());
        if (repair_by_peer(at)) {
          peers.count(at.repaired, of);
        } else {
          ++peers.cases;
          ++peers.refused;
        }
      }
    }
    CHECK(ours.cases == cases);
    CHECK(ours.refused == 0);
    std::vector<words> table = {heading, ours.row(name, "era_repair")};
    if (with_peer) {
      table.push_back(peers.row(name, "peer " + fixtures::peer_version()));
    }
    harness::print_table(table);
    std::fflush(stdout);  // the long form takes a while
  }
}

// No checksum can show it, so this is only counted, and that it is repaired at all.
TEST_CASE("blocks that were replaced by their own older version are repaired as they are") {
  const unsigned cases = harness::at_length() ? 500 : 6;
  const place at;
  tally ours;
  unsigned noticed = 0;
  for (std::uint64_t seed = 1; seed <= cases; ++seed) {
    static std::optional<aged> made;
    if (seed % 50 == 1) {
      made = make_aged(seed);
      REQUIRE(made->now.used.size() > 10);
    }
    std::mt19937_64 random(seed);
    damager on(made->now, random);
    for (auto left = 1 + random() % 5; left > 0; --left) {
      const auto block = on.any_used();
      on.put(block, made->before.substr(block * block_bytes, block_bytes));
    }
    at.prepare(on.bytes());
    INFO("seed " << seed);
    noticed += call("era_check", {"-q", at.damaged}).status != 0 ? 1 : 0;
    if (repair_by_us(at, made->now)) {
      ours.count(at.repaired, made->now);
    }
  }
  CHECK(ours.cases == cases);
  harness::print_table({heading, ours.row("own older version", "era_repair")});
  std::printf("era_check reports %u of %u such images\n", noticed, cases);
}
