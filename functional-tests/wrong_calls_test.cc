// What the tools say to command lines that nearly make sense: what was meant, which option took the
// file, and which tool has the option. Quiet calls say nothing of it.
#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::bench;
using fixtures::call;

using words = std::vector<std::string>;

void check_refused(const harness::result& result, const std::string& fact) {
  CHECK(result.status == 1);
  CHECK(result.out == "");
  CHECK_THAT(result.err, Contains(fact) && Contains("--help"));
}

const std::string& help_of(const std::string& tool) {
  static std::map<std::string, std::string> known;
  auto& help = known[tool];
  if (help.empty()) {
    help = call(tool, {"--help"}).out;
  }
  return help;
}

bool has_option(const std::string& tool, const std::string& option) {
  return std::regex_search(help_of(tool), std::regex(option + "(?![-a-z])"));
}

// All long options that `tool` has.
words options_of(const std::string& tool) {
  const auto& help = help_of(tool);
  static const std::regex option("\\n  (?:-.,|   ) (--[-a-z]+)");
  words found;
  for (std::sregex_iterator at(help.begin(), help.end(), option), end; at != end; ++at) {
    found.push_back((*at)[1]);
  }
  return found;
}

std::set<std::string> options_of_all_tools() {
  std::set<std::string> all;
  for (const auto& tool : harness::all_tools()) {
    const auto found = options_of(tool);
    all.insert(found.begin(), found.end());
  }
  return all;
}

}  // namespace

TEST_CASE("the help of every tool fits into 80 columns") {
  for (const auto& tool : harness::all_tools()) {
    std::istringstream help(call(tool, {"--help"}).out);
    for (std::string line; std::getline(help, line);) {
      INFO(tool << ": " << line);
      CHECK(line.size() <= 80);
    }
  }
}

TEST_CASE("the help of era_invalidate says that the era counts that is given") {
  const std::string help = call("era_invalidate", {"--help"}).out;
  const std::string joined = std::regex_replace(help, std::regex("\\s+"), " ");
  CHECK_THAT(joined, Contains("--written-since ERA list blocks written in era ERA or later "
                              "(ERA included); 0 lists every block"));
}

TEST_CASE("options that tools share are spelt and described alike") {
  for (const auto& tool : harness::readers()) {
    INFO(tool);
    CHECK(has_option(tool, "--metadata-snapshot"));
    CHECK(has_option(tool, "--metadata-snap"));
  }
  const auto line_of = [](const std::string& tool, const std::string& option) {
    const std::string help = call(tool, {"--help"}).out;
    const auto at = help.find(option);
    return at == std::string::npos ? "" : help.substr(at, help.find('\n', at) - at);
  };
  CHECK(line_of("era_check", "--quiet") == line_of("era_restore", "--quiet"));
  CHECK(line_of("era_dump", "-o,") == line_of("era_invalidate", "-o,"));
}

TEST_CASE("option --metadata-snap is --metadata-snapshot") {
  const bench bench;
  harness::image_named("snap_held").unpack(bench.metadata);
  for (const std::string tool : {"era_dump", "era_invalidate"}) {
    INFO(tool);
    const auto expected = bench.read(tool, bench.metadata, {"--metadata-snapshot"});
    REQUIRE(expected.status == 0);
    CHECK(bench.read(tool, bench.metadata, {"--metadata-snap"}).out == expected.out);
    CHECK(bench.read(tool, bench.metadata).out != expected.out);
  }
}

TEST_CASE("a part of an option's name is enough to be told the whole") {
  const bench bench;
  const auto [tool, given, meant] = GENERATE(table<std::string, std::string, std::string>({
      {"era_invalidate", "--since=3", "--written-since"},
      {"era_invalidate", "--snapshot", "--metadata-snapshot"},
      {"era_dump", "--snap", "--metadata-snap"},
      {"era_check", "--non-fatal", "--ignore-non-fatal-errors"},
  }));
  INFO(tool << " " << given);
  check_refused(bench.read(tool, bench.metadata, {given}), "did you mean '" + meant + "'?");
}

TEST_CASE("an option of another tool is refused with the name of that tool", "[slow]") {
  check_refused(call("era_check", {"--repair", "m"}), "'era_dump --repair' does that");
  static const std::regex other_tool("'(era_[a-z_]+) (--[-a-z]+)' does that");
  const auto options = options_of_all_tools();
  std::size_t named = 0;
  for (const auto& tool : harness::all_tools()) {
    for (const auto& option : options) {
      if (has_option(tool, option)) {
        continue;
      }
      const auto result = call(tool, {option, "m"});
      INFO(tool << " " << option << ": " << result.err);
      check_refused(result, option);
      std::smatch found;
      if (std::regex_search(result.err, found, other_tool)) {
        ++named;
        CHECK(found[2] == option);
        CHECK(has_option(found[1], option));
      }
    }
  }
  CHECK(named > 10);
}

TEST_CASE("an option that took the only file is named") {
  const bench bench;
  const auto& m = bench.metadata;
  const auto [tool, option, argument] = GENERATE(table<std::string, std::string, std::string>({
      {"era_dump", "-o", "FILE"},
      {"era_dump", "--output", "FILE"},
      {"era_invalidate", "--output", "FILE"},
      {"era_invalidate", "--written-since", "ERA"},
      {"era_check", "--format", "FORMAT"},
  }));
  INFO(tool << " " << option);
  const auto before = harness::read_file(m);
  const auto result = call(tool, {option, m});
  check_refused(result, "No input file provided.\n'" + option + "' took '" + m + "' as its " +
                            argument + ".\n");
  CHECK(harness::read_file(m) == before);
  CHECK_THAT(call(tool, {option, "bench"}).err, !Contains("took"));
}

TEST_CASE("an option that is given twice with values is refused") {
  const bench bench;
  const std::vector<std::pair<std::string, words>> calls = {
      {"era_check", {"--format", "text", "--format=json"}},
      {"era_dump", {"-o", bench / "a", "--output", bench / "b"}},
      {"era_invalidate", {"--written-since", "1"}},  // bench adds another
      {"era_restore", {"-o", bench.device}},
      {"era_restore", {"--input=" + bench.xml}},
      {"era_simulate", {"--random", "1", "--random", "2"}},
  };
  const auto names = fixtures::names_in(bench.path());
  for (const auto& [tool, twice] : calls) {
    INFO(tool << " " << twice[0]);
    const auto result = bench.read(tool, bench.good_input(tool), twice);
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("is given twice") && Contains("--help"));
  }
  CHECK(fixtures::names_in(bench.path()) == names);
  CHECK(harness::read_file(bench.device) == std::string(1 << 20, '\0'));
}

TEST_CASE("an option without a value may be given twice") {
  const bench bench;
  const auto once = bench.read("era_dump", bench.metadata, {"--compact"});
  const auto twice = bench.read("era_dump", bench.metadata, {"--compact", "--compact"});
  CHECK(twice.status == 0);
  CHECK(twice.out == once.out);
  CHECK(bench.read("era_check", bench.metadata, {"-q", "--quiet", "-qq"}).status == 0);
}

TEST_CASE("an option is no argument of another") {
  const bench bench;
  harness::run_options there;
  there.folder = bench.path();
  const auto names = fixtures::names_in(bench.path());
  check_refused(call("era_dump", {"-o", "--compact", bench.metadata}, there), "'-o' needs");
  check_refused(call("era_check", {"--format", "-q", bench.metadata}, there), "'--format' needs");
  CHECK(fixtures::names_in(bench.path()) == names);
}

TEST_CASE("option -q holds for a wrong command line too") {
  const bench bench;
  for (const auto& one : std::vector<words>{
           {"era_check", "-q"},
           {"era_check", "-q", "--bogus", bench.metadata},
           {"era_check", "--bogus", "--quiet", bench.metadata},
           {"era_check", "-qz", bench.metadata},
           {"era_check", bench.metadata, bench.metadata, "-q"},
           {"era_check", "--format=yaml", "-q", bench.metadata},
           {"era_check", "--format=json", "--bogus", "-q", bench.metadata},
           {"era_check", "-q", ""},
           {"era_check", "-q", "-"},
           {"era_restore", "-q"},
           {"era_restore", "-qi"},
           {"era_restore", "-qi", bench.xml},
           {"era_restore", "-i", bench.xml, "-o", bench.device, "one-too-many", "-q"},
       }) {
    const auto result = call(one[0], {one.begin() + 1, one.end()});
    INFO(one[0] << " with " << one.size() - 1 << " words, the first " << one[1]);
    CHECK(result.status == 1);
    CHECK(result.out + result.err == "");
  }
  // Here it is the argument of something else, or a file.
  for (const auto& one : std::vector<words>{{"era_check", "--format", "-q", bench.metadata},
                                            {"era_check", "--bogus", "--", "-q"},
                                            {"era_restore", "-i", "-q", "--bogus"},
                                            {"era_dump", "-q", bench.metadata}}) {
    check_refused(call(one[0], {one.begin() + 1, one.end()}), one[0]);
  }
}

TEST_CASE("an empty name is refused") {
  const bench bench;
  for (const auto& tool : harness::readers()) {
    INFO(tool);
    check_refused(bench.read(tool, ""), "the name of the input file is empty");
  }
  for (const std::string tool : {"era_dump", "era_invalidate"}) {
    INFO(tool);
    check_refused(bench.read(tool, bench.metadata, {"-o", ""}), "'-o': the FILE given is empty");
  }
  check_refused(call("era_restore", {"-i", "", "-o", bench.device}), "'-i': the FILE given is");
  check_refused(call("era_restore", {"-i", bench.xml, "-o", ""}), "'-o': the FILE given is");
  check_refused(call("era_simulate", {""}), "the name of the input file is empty");
}

TEST_CASE("metadata is not read from standard input") {
  const bench bench;
  harness::run_options with_metadata;
  with_metadata.input = harness::read_file(bench.metadata);
  for (const auto& tool : harness::readers()) {
    INFO(tool);
    check_refused(bench.read(tool, "-", {}, with_metadata),
                  "standard input is not read; give a device or file");
  }
  harness::run_options there;
  there.folder = bench.path();
  harness::write_file(bench / "-", with_metadata.input);
  CHECK(call("era_check", {"./-"}, there).status == 0);
}

TEST_CASE("the name by which files are known inside is no option") {
  const bench bench;
  for (const auto& tool : harness::readers()) {
    INFO(tool);
    check_refused(bench.read(tool, bench.metadata, {"--files"}), "unknown option '--files'");
    check_refused(call(tool, {"--files=" + bench.metadata}), "unknown option '--files'");
    check_refused(call(tool, {"--=" + bench.metadata}), "unknown option '--=");
  }
}
