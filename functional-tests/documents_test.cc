// Every command that the documents show is run (documents.h says what is a command), and what they
// show of its output is compared. What cannot be run is in a table, with the reason.
#include "documents.h"

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "catch.h"
#include "changed_device.h"
#include "document_world.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using documents::block;
using documents::blocks_of;
using documents::command;

// A command that is not run here; `text` is all of its first line, or the begin of it.
struct exemption {
  std::string document;
  std::string text;
  std::string reason;
};

const std::vector<exemption>& exemptions() {
  static const std::vector<exemption> table = {
      {"README.md", "scripts/test", "this test is a part of it"},
      {"README.md", "cmake --preset release", "it builds what this test runs"},
      {"README.md", "sudo apt install", "it would change the system"},
      {"README.md", "cmake --workflow --preset package", "the package has tests of its own"},
      {"README.md", "sudo cmake --install", "it would change the system"},
      {"man8/era_simulate.8", "cat rollback", "man_pages_test.cc runs the example"},
      {"man8/era_simulate.8", "era_simulate --verify rollback",
       "man_pages_test.cc runs the example"},
      {"man8/era_simulate.8", "era_invalidate --written-since 2 metadata",
       "man_pages_test.cc runs the example"},
  };
  return table;
}

bool is_exempt(const std::string& document, const command& one) {
  return std::any_of(exemptions().begin(), exemptions().end(), [&](const exemption& row) {
    return row.document == document && one.text.rfind(row.text, 0) == 0;
  });
}

// Programs that the commands need, and that need not be installed.
const std::vector<std::string> optional_programs = {"bmaptool", "ddrescue", "jq",      "nbdcopy",
                                                    "nbdkit",   "qemu-img", "qemu-io", "qemu-nbd"};

std::string text_of(const std::vector<command>& commands) {
  std::string all;
  for (const auto& one : commands) {
    all += one.text + "\n";
  }
  return all;
}

bool has_all_it_needs(const std::vector<command>& commands) {
  const auto text = text_of(commands);
  std::vector<std::string> needed;
  for (const auto& program : optional_programs) {
    if (std::regex_search(text, std::regex("(^|[^a-z])" + program + " "))) {
      needed.push_back(program);
    }
  }
  return fixtures::has_programs(needed);
}

std::vector<command> without_exempt(const block& of) {
  std::vector<command> commands;
  for (const auto& one : of.commands) {
    if (!is_exempt(of.document, one)) {
      commands.push_back(one);
    }
  }
  return commands;
}

// Nobody can foretell how long something takes.
std::string timeless(const std::string& text) {
  return std::regex_replace(text, std::regex("[0-9]+ ms"), "N ms");
}

enum class shown_output { compared, of_another_machine };

void run_once(const documents::world& world, const block& of, const std::vector<command>& commands,
              shown_output output) {
  const auto results = world.run(commands);
  for (std::size_t at = 0; at < results.size(); ++at) {
    const auto& one = commands[at];
    INFO(of.document << ':' << one.line << ": " << one.text);
    INFO(results[at].err);
    CHECK(results[at].status == 0);
    if (output == shown_output::compared && !one.output.empty()) {
      CHECK(timeless(results[at].out + results[at].err) == timeless(one.output));
    }
  }
  CHECK(results.size() == commands.size());
  INFO(of.document << ':' << commands[0].line);
  CHECK(world.wrong_copy(commands) == "");
}

// In a world of its own, since the blocks of a page stand for themselves. What lists the changes
// since last time is run twice.
void run_block(const block& of, shown_output output) {
  const auto commands = without_exempt(of);
  if (commands.empty() || !has_all_it_needs(commands)) {
    return;
  }
  const auto world = documents::world::anew();
  run_once(world, of, commands, output);
  if (text_of(commands).find("--since-file") != std::string::npos) {
    world.change();
    run_once(world, of, commands, shown_output::of_another_machine);
  }
}

void run_document(const std::string& document, shown_output output) {
  const auto blocks = blocks_of(document);
  REQUIRE_FALSE(blocks.empty());
  for (const auto& one : blocks) {
    run_block(one, output);
  }
}

const std::string page_of_plugin = "nbdkit/nbdkit-era-plugin.1";

std::vector<std::string> all_documents() {
  auto all = documents::pages_of_section(8);
  for (const auto& page : documents::pages_of_section(7)) {
    all.push_back(page);
  }
  all.emplace_back(page_of_plugin);
  all.emplace_back("README.md");
  all.emplace_back("doc/cookbook.md");
  return all;
}

std::string joined_words(const std::string& text) {
  return std::regex_replace(text, std::regex("\\s+"), " ");
}

// What stands between the first two backquotes.
std::string code_in(const std::string& cell) {
  std::smatch found;
  return std::regex_search(cell, found, std::regex("`([^`]*)`")) ? found[1].str() : "";
}

// Holds a result against a cell that shows it: "exit 1: `a part of what it says`".
void check_result(const harness::result& got, const std::string& cell) {
  std::smatch exit;
  const bool fails = std::regex_search(cell, exit, std::regex("^exit ([0-9]+)"));
  INFO(cell << " | " << got.out << got.err);
  CHECK(got.status == (fails ? std::stoi(exit[1]) : 0));
  REQUIRE(code_in(cell) != "");
  CHECK_THAT(joined_words(got.out + got.err), Catch::Contains(code_in(cell)));
}

}  // namespace

TEST_CASE("the commands of the pages of section 8 work", "[sources]") {
  for (const auto& page : documents::pages_of_section(8)) {
    DYNAMIC_SECTION(page) {
      // The output is from devices with other numbers and other speed.
      run_document(page, shown_output::of_another_machine);
    }
  }
}

TEST_CASE("the commands of era-tools(7) work", "[sources]") {
  run_document("man7/era-tools.7", shown_output::compared);
}

TEST_CASE("the commands of nbdkit-era-plugin(1) work", "[sources]") {
  run_document(page_of_plugin, shown_output::compared);
}

TEST_CASE("the commands of the cookbook work", "[sources]") {
  run_document("doc/cookbook.md", shown_output::compared);
}

TEST_CASE("the commands of the README work", "[sources]") {
  run_document("README.md", shown_output::compared);
}

TEST_CASE("a command of the documents that is not run is there", "[sources]") {
  std::vector<block> blocks;
  for (const auto& document : all_documents()) {
    for (const auto& one : blocks_of(document)) {
      blocks.push_back(one);
    }
  }
  for (const auto& row : exemptions()) {
    INFO(row.document << ": " << row.text);
    CHECK(std::any_of(blocks.begin(), blocks.end(), [&](const block& one) {
      return one.document == row.document &&
             std::any_of(one.commands.begin(), one.commands.end(),
                         [&](const command& shown) { return shown.text.rfind(row.text, 0) == 0; });
    }));
  }
}

TEST_CASE("the faults of other tools in the README are as shown", "[sources]") {
  const std::string heading = "Why not the tools you have?";
  const auto world = documents::world::anew();
  for (const auto& one : blocks_of("README.md")) {
    if (one.heading == heading) {
      run_once(world, one, one.commands, shown_output::compared);
    }
  }
  const bool with_peer = fixtures::peer_is_0_9_0();
  for (const auto& row : documents::table_under("README.md", heading)) {
    REQUIRE(row.size() == 4);
    const auto shown = code_in(row[1]);
    INFO(shown);
    check_result(world.run({{0, shown, ""}}).at(0), row[3]);
    if (with_peer) {
      const auto theirs = "PATH=" + fixtures::peer_folder() + ":$PATH; " + shown;
      check_result(world.run({{0, theirs, ""}}).at(0), row[2]);
    }
  }
}

TEST_CASE("era-tools(7) and the README name every tool, whose page names era-tools(7)",
          "[sources]") {
  const auto page = harness::read_file(SOURCE_FOLDER "/man7/era-tools.7");
  const auto readme = harness::read_file(SOURCE_FOLDER "/README.md");
  for (const auto& tool : harness::all_tools()) {
    INFO(tool);
    CHECK_THAT(harness::read_file(SOURCE_FOLDER "/man8/" + tool + ".8"),
               Catch::Contains("era\\-tools (7)"));
    CHECK_THAT(page, Catch::Contains(".BR " + tool + " (8)"));
    CHECK_THAT(page, Catch::Contains("\n" + tool + "\t"));
    CHECK_THAT(readme, Catch::Contains("| `" + tool + "` |"));
  }
}

TEST_CASE("the README installs the packages that a build needs", "[sources]") {
  harness::run_options there;
  there.folder = SOURCE_FOLDER;
  const auto packages =
      harness::run({"bash", "-c", "source scripts/packages; echo \"${build_packages[@]}\""}, there);
  std::string installed;
  for (const auto& one : blocks_of("README.md")) {
    for (const auto& shown : one.commands) {
      installed += shown.text.rfind("sudo apt install g++", 0) == 0 ? shown.text : "";
    }
  }
  installed = joined_words(std::regex_replace(installed, std::regex("\\\\\n"), ""));
  CHECK(installed == "sudo apt install " + packages.out.substr(0, packages.out.find('\n')));
}
