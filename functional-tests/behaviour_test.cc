// What all tools share on the command line: help, version, and how a wrong call is refused. The
// rules are written once here and run for every tool.
#include <regex>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

using Catch::Contains;
using Catch::EndsWith;
using fixtures::bench;
using fixtures::call;

using words = std::vector<std::string>;

// A call that must end with status 1, nothing on standard output, and one message that holds all of
// `facts`.
void check_refused(const harness::result& result, const words& facts) {
  CHECK(result.status == 1);
  CHECK(result.out == "");
  CHECK_THAT(result.err, EndsWith("\n"));
  for (const auto& fact : facts) {
    CHECK_THAT(result.err, Contains(fact));
  }
}

// The same for a wrong command line, whose message also shows the way to the help text. Nothing may
// have been written to the output of era_restore.
void check_usage_error(const bench& bench, const harness::result& result, words facts) {
  facts.push_back("--help");
  check_refused(result, facts);
  CHECK(harness::read_file(bench.device) == std::string(1 << 20, '\0'));
}

// The number in `project(... VERSION x.y.z`.
std::string project_version() {
  const auto text = harness::read_file(SOURCE_FOLDER "/CMakeLists.txt");
  std::smatch found;
  REQUIRE(std::regex_search(text, found, std::regex(R"(VERSION (\d+\.\d+\.\d+))")));
  return found[1];
}

// Options typed wrong, and what was meant.
struct typed_wrong {
  std::string tool;
  std::string typed;
  std::string meant;
};

}  // namespace

TEST_CASE("option -h and --help print the help text") {
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      const auto help = call(tool, {"--help"});
      CHECK(help.status == 0);
      CHECK(help.err == "");
      CHECK_THAT(help.out, Contains(tool) && Contains("--help") && Contains("--version"));
      CHECK_THAT(help.out, EndsWith("\n"));
      const auto short_form = call(tool, {"-h"});
      CHECK(short_form.status == 0);
      CHECK(short_form.err == "");
      CHECK(short_form.out == help.out);
    }
  }
}

TEST_CASE("option -V and --version print the bare version") {
  for (const auto& tool : harness::all_tools()) {
    for (const std::string option : {"-V", "--version"}) {
      DYNAMIC_SECTION(tool << " " << option) {
        const auto version = call(tool, {option});
        CHECK(version.status == 0);
        CHECK(version.out == project_version() + "\n");
        CHECK(version.err == "");
      }
    }
  }
}

TEST_CASE("an unknown option is refused by its name") {
  const bench bench;
  for (const auto& tool : harness::all_tools()) {
    for (const std::string option : {"--hedgehogs-only", "--hedgehogs=3", "-z"}) {
      DYNAMIC_SECTION(tool << " " << option) {
        const auto name = option.substr(0, option.find('='));
        check_usage_error(bench, bench.read(tool, bench.good_input(tool), {option}), {name});
      }
    }
  }
}

TEST_CASE("a misspelt option is refused and the nearest one offered") {
  const bench bench;
  const auto wrong = GENERATE(values<typed_wrong>({
      {"era_check", "--quite", "--quiet"},
      {"era_check", "--superblock-only", "--super-block-only"},
      {"era_check", "--ignore-nonfatal-errors", "--ignore-non-fatal-errors"},
      {"era_dump", "--logcal", "--logical"},
      {"era_dump", "--repare", "--repair"},
      {"era_dump", "--metadata-snaphsot", "--metadata-snapshot"},
      {"era_dump", "--compakt", "--compact"},
      {"era_invalidate", "--writen-since=2", "--written-since"},
      {"era_invalidate", "--formt=json", "--format"},
      {"era_invalidate", "--metdata-snapshot", "--metadata-snapshot"},
      {"era_restore", "--ouput=x", "--output"},
      {"era_restore", "--qiet", "--quiet"},
      {"era_simulate", "--verfy", "--verify"},
      {"era_simulate", "--print-scirpt", "--print-script"},
  }));
  INFO(wrong.tool << " " << wrong.typed);
  check_usage_error(bench, bench.read(wrong.tool, bench.good_input(wrong.tool), {wrong.typed}),
                    {wrong.typed.substr(0, wrong.typed.find('=')), wrong.meant});
}

TEST_CASE("an abbreviated long option is refused") {
  const bench bench;
  const auto wrong = GENERATE(values<typed_wrong>({
      {"era_check", "--qui", "--quiet"},
      {"era_check", "--super-block", "--super-block-only"},
      {"era_check", "--vers", "--version"},
      {"era_dump", "--logic", "--logical"},
      {"era_dump", "--repai", "--repair"},
      {"era_dump", "--hel", "--help"},
      {"era_invalidate", "--written=2", "--written-since"},
      {"era_invalidate", "--metadata", "--metadata-snapshot"},
      {"era_restore", "--out=x", "--output"},
      {"era_restore", "--quie", "--quiet"},
      {"era_simulate", "--rand=7", "--random"},
      {"era_simulate", "--print", "--print-script"},
  }));
  INFO(wrong.tool << " " << wrong.typed);
  check_usage_error(bench, bench.read(wrong.tool, bench.good_input(wrong.tool), {wrong.typed}),
                    {wrong.meant});
}

TEST_CASE("an option at the end without its argument is refused") {
  const bench bench;
  // The message may name the long spelling of a short option, which begins the same.
  const auto [tool, option, named] = GENERATE(table<std::string, std::string, std::string>({
      {"era_check", "--format", "--format"},
      {"era_dump", "-o", "-o"},
      {"era_dump", "--output", "-o"},
      {"era_invalidate", "-o", "-o"},
      {"era_invalidate", "--output", "-o"},
      {"era_invalidate", "--format", "--format"},
      {"era_restore", "-i", "-i"},
      {"era_restore", "--output", "-o"},
      {"era_simulate", "--random", "--random"},
      {"era_simulate", "--origin", "--origin"},
  }));
  INFO(tool << " " << option);
  auto arguments = bench.arguments(tool, bench.good_input(tool));
  arguments.push_back(option);
  check_usage_error(bench, call(tool, arguments), {named});
}

TEST_CASE("an argument for an option that takes none is refused") {
  const bench bench;
  const auto [tool, option] = GENERATE(table<std::string, std::string>({
      {"era_check", "--quiet"},
      {"era_dump", "--logical"},
      {"era_invalidate", "--metadata-snapshot"},
      {"era_restore", "--quiet"},
      {"era_simulate", "--verify"},
  }));
  INFO(tool << " " << option);
  const auto result = bench.read(tool, bench.good_input(tool), {option + "=yes"});
  check_refused(result, {option});
  CHECK(harness::read_file(bench.device) == std::string(1 << 20, '\0'));
}

TEST_CASE("option --written-since takes decimal numbers") {
  const bench bench;
  for (const std::string era : {"0", "1", "2"}) {
    DYNAMIC_SECTION("accepts " << era) {
      const auto result = call("era_invalidate", {"--written-since", era, bench.metadata});
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(result.out == harness::image_named("one_era").live.invalidate_xml(
                              static_cast<std::uint32_t>(std::stoul(era))));
    }
  }
  for (const std::string era : {"abc", "-1", "4294967296", "18446744073709551617", " 1", "1x",
                                "0x10", "1.5", "1e3", "+-1"}) {
    DYNAMIC_SECTION("refuses '" << era << "'") {
      check_usage_error(bench, call("era_invalidate", {"--written-since=" + era, bench.metadata}),
                        {"--written-since", era, "4294967295"});
      check_usage_error(bench, call("era_invalidate", {bench.metadata, "--written-since", era}),
                        {"--written-since", era});
    }
  }
}

TEST_CASE("era_invalidate does not guess the era") {
  const bench bench;
  check_refused(call("era_invalidate", {bench.metadata}), {"--written-since"});
}

TEST_CASE("option --format takes only the forms that exist") {
  const bench bench;
  const auto [tool, forms] = GENERATE(table<std::string, words>({
      {"era_check", {"text", "json"}},
      {"era_invalidate", {"xml", "json"}},
  }));
  for (const auto& form : forms) {
    DYNAMIC_SECTION(tool << " accepts " << form) {
      const auto result = bench.read(tool, bench.metadata, {"--format", form});
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(result.out != "");
    }
  }
  for (const std::string form : {"yaml", "JSON"}) {
    DYNAMIC_SECTION(tool << " refuses '" << form << "'") {
      check_usage_error(bench, bench.read(tool, bench.metadata, {"--format=" + form}),
                        {"--format", form, forms[0], forms[1]});
    }
  }
}

TEST_CASE("a second input file is refused by its name") {
  const bench bench;
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      auto arguments = bench.arguments(tool, bench.good_input(tool));
      arguments.push_back("one-too-many");
      check_usage_error(bench, call(tool, arguments), {"one-too-many"});
    }
  }
}

TEST_CASE("option -- ends the options") {
  const bench bench;
  for (const auto& tool : harness::readers()) {
    DYNAMIC_SECTION(tool) {
      const auto arguments = bench.arguments(tool, "--");
      const auto with = [&](const std::string& file) {
        auto all = arguments;
        all.push_back(file);
        return call(tool, all);
      };
      const auto plain = bench.read(tool, bench.metadata);
      REQUIRE(plain.status == 0);
      CHECK(with(bench.metadata).out == plain.out);
      check_refused(with("--help"), {"--help: No such file or directory"});
      check_refused(with("-q"), {"-q: No such file or directory"});
      check_refused(with("--"), {"--: No such file or directory"});
    }
  }
  SECTION("era_restore") {
    auto arguments = bench.arguments("era_restore", bench.xml);
    arguments.push_back("--");
    CHECK(call("era_restore", arguments).status == 0);
    harness::make_zeroed(bench.device, 1 << 20);
    arguments.push_back("-q");
    check_usage_error(bench, call("era_restore", arguments), {"-q"});
  }
}

TEST_CASE("options and file may stand in any order") {
  const bench bench;
  const auto& file = bench.metadata;
  const std::vector<std::vector<words>> equal_calls = {
      {{"era_check", "--format", "json", file}, {"era_check", file, "--format", "json"}},
      {{"era_check", "-q", "--super-block-only", file},
       {"era_check", "--super-block-only", file, "--quiet"}},
      {{"era_dump", "--logical", "-o", "-", file}, {"era_dump", "-o", "-", file, "--logical"}},
      {{"era_invalidate", "--format", "json", "--written-since", "1", file},
       {"era_invalidate", "--written-since", "1", file, "--format", "json"},
       {"era_invalidate", file, "--written-since", "1", "--format", "json"}},
  };
  for (const auto& calls : equal_calls) {
    DYNAMIC_SECTION(calls[0][0] << " " << calls[0][1]) {
      const auto run = [](const words& words) {
        return call(words[0], {words.begin() + 1, words.end()});
      };
      const auto expected = run(calls[0]);
      REQUIRE((expected.out == "") == (calls[0][1] == "-q"));
      for (const auto& one : calls) {
        const auto result = run(one);
        CHECK(result.status == 0);
        CHECK(result.out == expected.out);
        CHECK(result.err == "");
      }
    }
  }
}

TEST_CASE("era_restore takes its options in any order and form") {
  const bench bench;
  for (const auto& arguments : std::vector<words>{
           {"-i", bench.xml, "-o", bench.device, "-q"},
           {"-q", "-o", bench.device, "-i", bench.xml},
           {"--output=" + bench.device, "--quiet", "--input=" + bench.xml},
           {"--output", bench.device, "--input", bench.xml},
           {"-o" + bench.device, "-i" + bench.xml},
       }) {
    INFO(arguments[0] << " and " << arguments.size() - 1 << " more");
    harness::make_zeroed(bench.device, 1 << 20);
    const auto result = call("era_restore", arguments);
    CHECK(result.status == 0);
    CHECK(result.out == "");
    CHECK(result.err == "");
    CHECK(fixtures::dump(bench.device) == fixtures::example().xml());
  }
}

TEST_CASE("an argument follows its option as a word, after =, or joined to a short one") {
  const bench bench;
  const auto target = bench / "list";
  for (auto arguments : std::vector<words>{
           {"--written-since", "1", "--output", target},
           {"--written-since=1", "--output=" + target},
           {"--written-since=1", "-o", target},
           {"--written-since=1", "-o" + target},
       }) {
    INFO(arguments[0] << " and " << arguments.size() - 1 << " more");
    harness::write_file(target, "old");
    arguments.push_back(bench.metadata);
    const auto result = call("era_invalidate", arguments);
    CHECK(result.status == 0);
    CHECK(result.out + result.err == "");
    CHECK(harness::read_file(target) == harness::image_named("one_era").live.invalidate_xml(1));
  }
}

TEST_CASE("an option with an empty argument is refused") {
  const bench bench;
  for (const std::string tool : {"era_dump", "era_invalidate"}) {
    DYNAMIC_SECTION(tool) {
      check_usage_error(bench, bench.read(tool, bench.metadata, {"--output="}), {"--output"});
    }
  }
  SECTION("an empty era") {
    check_usage_error(bench, call("era_invalidate", {"--written-since=", bench.metadata}),
                      {"--written-since"});
  }
  SECTION("an empty form") {
    check_usage_error(bench, bench.read("era_check", bench.metadata, {"--format="}), {"--format"});
  }
}

TEST_CASE("option -r is --repair") {
  const bench bench;
  fixtures::unpack_damaged(harness::image_named("one_era"), {harness::superblock::era_array},
                           bench.metadata);
  const auto long_form = bench.read("era_dump", bench.metadata, {"--repair"});
  const auto short_form = bench.read("era_dump", bench.metadata, {"-r"});
  CHECK(long_form.out != "");
  CHECK(short_form.out == long_form.out);
  CHECK(short_form.err == long_form.err);
  CHECK(short_form.status == long_form.status);
}

TEST_CASE("nothing to read is said") {
  for (const auto& tool : harness::metadata_tools()) {
    DYNAMIC_SECTION(tool) {
      check_refused(call(tool, {}), {"No input file provided."});
    }
  }
  SECTION("era_invalidate with an era") {
    check_refused(call("era_invalidate", {"--written-since", "1"}), {"No input file provided."});
  }
  SECTION("era_restore with an output") {
    const bench bench;
    check_refused(call("era_restore", {"-o", bench.device}), {"No input file provided."});
    CHECK(harness::read_file(bench.device) == std::string(1 << 20, '\0'));
  }
}

TEST_CASE("era_restore wants an output") {
  const bench bench;
  check_refused(call("era_restore", {"-i", bench.xml}), {"No output file provided."});
}
