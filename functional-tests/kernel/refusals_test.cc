// The list of refusals against the kernel itself.
#include "refusals.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "../catch.h"
#include "../harness.h"
#include "../metadata_bytes.h"
#include "guest.h"

namespace {

using harness::metadata_bytes;
using words = std::vector<std::string>;

const std::string mark = "== attempt ";

// A guest with a disk for every word of the lists. The image has blocks of 128 sectors.
class bench {
 public:
  bench() {
    namespace superblock = harness::superblock;
    const metadata_bytes good(harness::image_named("fresh"));
    add("formatted", good.bytes());
    add("metadata", std::string(good.bytes().size(), '\0'));
    auto bad = good;
    bad.damage(0, superblock::current_era, 1);
    add("bad_checksum", bad.bytes());
    for (const auto& [name, field] :
         {std::pair("bad_blocknr", superblock::blocknr), std::pair("bad_magic", superblock::magic),
          std::pair("bad_version", superblock::version)}) {
      bad = good;
      bad.set32(0, field, bad.get32(0, field) + 1);
      add(name, bad.bytes());
    }
    add("origin", "");
    harness::make_zeroed(folder_ / "origin", 64 << 20);
    names_.emplace_back("missing", "/dev/missing");
  }

  // The table line, with the devices for their words.
  std::string table(const std::string& arguments) const {
    std::istringstream stream(arguments);
    std::string line = "0 131072 era";
    for (std::string word; stream >> word;) {
      const auto known = std::find_if(names_.begin(), names_.end(),
                                      [&](const auto& name) { return name.first == word; });
      line += ' ' + (known == names_.end() ? word : known->second);
    }
    return line;
  }

  kernel::outcome run(const std::string& script) const { return guest_.run(script); }

 private:
  void add(const std::string& name, const std::string& bytes) {
    harness::write_file(folder_ / name, bytes);
    names_.emplace_back(name, guest_.add_disk(folder_ / name));
  }

  harness::temporary_folder folder_;
  kernel::guest guest_;
  std::vector<std::pair<std::string, std::string>> names_;
};

// Separates one attempt from the next in the log.
std::string attempt(const std::string& command) {
  return "echo '" + mark + "' >/dev/kmsg\n" + command + '\n';
}

// What the target says in a line of the log; empty if it is not the target's. The kernel puts the
// name of a function before some texts and the error number after others.
std::string text_in(const std::string& line) {
  static const std::regex form(
      R"(.*device-mapper: (?:table: [0-9:]+: )?era: (?:metadata_\w+: )?(.*?)(?: \(-\w+\))?)");
  std::smatch found;
  return std::regex_match(line, found, form) ? found[1].str() : "";
}

// What the target says, by attempt.
std::vector<words> texts_by_attempt(const std::string& dmesg) {
  std::vector<words> attempts;
  for (const auto& line : kernel::lines_of(dmesg)) {
    if (line.find(mark) != std::string::npos) {
      attempts.emplace_back();
    } else if (const auto text = text_in(line); !text.empty() && !attempts.empty()) {
      attempts.back().push_back(text);
    }
  }
  return attempts;
}

words expected_texts(const kernel::refused_table& refused) {
  words texts;
  for (const auto* text : refused.texts) {
    if (text != nullptr) {
      texts.emplace_back(text);
    }
  }
  return texts;
}

void require_success(const kernel::outcome& ended) {
  INFO(ended.out);
  REQUIRE(ended.err == "");
  REQUIRE(ended.status == 0);
}

}  // namespace

TEST_CASE("a real kernel refuses wrong table lines in the recorded words", "[both]") {
  if (!kernel::available()) {
    return;
  }
  const bench bench;
  std::string script;
  for (const auto& refused : kernel::refused_tables) {
    script += attempt("refused dm create x --table \"" + bench.table(refused.arguments) + '"');
  }
  const auto ended = bench.run(script);
  require_success(ended);
  const auto said = texts_by_attempt(ended.dmesg);
  REQUIRE(said.size() == kernel::refused_tables.size());
  for (std::size_t i = 0; i < said.size(); ++i) {
    INFO(kernel::refused_tables[i].arguments);
    CHECK(said[i] == expected_texts(kernel::refused_tables[i]));
  }
}

TEST_CASE("a real kernel accepts the odd table lines on record") {
  if (!kernel::available()) {
    return;
  }
  const bench bench;
  std::string script;
  std::string expected;
  for (const auto& odd : kernel::odd_tables) {
    const auto zero = "gnu-dd if=/dev/zero of=" + bench.table("metadata").substr(13) +
                      " bs=4k count=1 oflag=direct status=none\n";
    script += zero + "dm_create x \"" + bench.table(odd.arguments) +
              "\"\ndm table x | cut -d ' ' -f 6\ndm_remove x\n";
    expected += std::to_string(odd.block_size) + '\n';
  }
  const auto ended = bench.run(script);
  require_success(ended);
  CHECK(ended.out == expected);
}

TEST_CASE("a real kernel answers messages in the recorded words", "[both]") {
  if (!kernel::available()) {
    return;
  }
  const bench bench;
  std::string script = "dm_create x \"" + bench.table("metadata origin 128") + "\"\n";
  std::string eras;
  unsigned era = 1;
  for (const auto& sent : kernel::sent_messages) {
    const std::string refused = *sent.error == '\0' ? "" : "refused ";
    script += attempt(refused + "dm_message x " + sent.message) + "dm status x | cut -d ' ' -f 6\n";
    eras += std::to_string(era += sent.eras) + '\n';
  }
  const auto ended = bench.run(script + "dm_remove x\n");
  require_success(ended);
  CHECK(ended.out == eras);
  const auto said = texts_by_attempt(ended.dmesg);
  REQUIRE(said.size() == kernel::sent_messages.size());
  for (std::size_t i = 0; i < said.size(); ++i) {
    INFO(kernel::sent_messages[i].message);
    const std::string error = kernel::sent_messages[i].error;
    CHECK(said[i] == (error.empty() ? words() : words{error}));
  }
}
