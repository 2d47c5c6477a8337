// Every problem of doc/problems.md provoked: era_check says that one and nothing else, readers
// refuse or are right, and a repair ends clean with no era earlier than before.
#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "catch.h"
#include "dump_parser.h"
#include "faults.h"
#include "fixtures.h"
#include "harness.h"
#include "problem_recipes.h"
#include "questions.h"

namespace {

using problems::answer;
using problems::eras;
using problems::recipe;
using problems::reported;

using words = std::vector<std::string>;

// The last-written eras, as the tools read them from sound metadata.
eras eras_of(const std::string& path) {
  const auto got =
      harness::run_bounded({harness::tool("era_dump"), "--logical", "--compact"}, path);
  INFO(got.err);
  REQUIRE(got.status == 0);
  return harness::parse_compact_dump(got.out).era_array;
}

// Metadata that a recipe has changed.
struct patient {
  explicit patient(const recipe& with) : recipe(with), expected(0) {
    auto metadata = recipe.sound();
    harness::write_file(path, metadata.bytes());
    bytes = metadata.bytes().size();
    before = eras_of(path);
    expected = recipe.change(metadata);
    harness::write_file(path, metadata.bytes());
    if (recipe.change_answer) {
      recipe.change_answer(before);
    }
  }

  harness::result run(const std::string& tool, const words& options = {}) const {
    words command = {harness::tool(tool)};
    command.insert(command.end(), options.begin(), options.end());
    if (recipe.unreadable) {
      command = faults::with_unreadable_block(expected.block, command);
    }
    return harness::run_bounded(command, path);
  }

  std::multiset<reported> all_expected() const {
    std::multiset<reported> all(expected.also.begin(), expected.also.end());
    all.insert({recipe.code, expected.block});
    return all;
  }

  // The worst of what is expected.
  bool has(const std::string& severity) const {
    const auto all = all_expected();
    return std::any_of(all.begin(), all.end(), [&](const reported& one) {
      return problems::severity_of(one.code) == severity;
    });
  }

  const problems::recipe& recipe;
  harness::temporary_folder folder;
  std::string path = folder / "metadata";
  problems::finding expected;
  eras before;
  std::uint64_t bytes;  // of the sound metadata
};

// Whether the reads of a recipe can fail here; says why not.
bool can_be_had(const recipe& one) {
  return !one.unreadable || faults::available();
}

// The lines of a report but its summary; CHECKs that each has the severity of the table.
std::multiset<reported> problems_in_text(const std::string& report) {
  static const std::regex line_of_problem(R"(([-a-z]+) ([-a-z]+) block (\d+) \(.*\): .*; .*)");
  std::multiset<reported> found;
  std::istringstream lines(report);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, line_of_problem)) {
      CHECK(match[1] == problems::severity_of(match[2]));
      found.insert({match[2], std::stoull(match[3])});
    }
  }
  return found;
}

std::multiset<reported> problems_in_json(const std::string& report) {
  std::multiset<reported> found;
  const auto whole = nlohmann::json::parse(report);
  for (const auto& one : whole.at("problems")) {
    const std::string code = one.at("code");
    CHECK(one.at("severity") == problems::severity_of(code));
    found.insert({code, one.at("block")});
  }
  return found;
}

std::string text_of(const std::multiset<reported>& all) {
  std::string text;
  for (const auto& one : all) {
    text += one.code + " " + std::to_string(one.block) + "\n";
  }
  return text;
}

harness::truth truth_of(const eras& all) {
  harness::truth truth = {0, all.size(), {}};
  for (std::uint64_t block = 0; block < all.size(); ++block) {
    if (!truth.runs.empty() && truth.runs.back().era == all[block]) {
      ++truth.runs.back().count;
    } else {
      truth.runs.push_back({block, 1, all[block]});
    }
  }
  truth.runs.erase(std::remove_if(truth.runs.begin(), truth.runs.end(),
                                  [](const harness::era_run& run) { return run.era == 0; }),
                   truth.runs.end());
  return truth;
}

std::string cell_of_reader(const patient& of, const harness::result& got, bool right) {
  INFO(got.err);
  if (of.recipe.readers == answer::none) {
    CHECK(harness::is_refusal(got, of.path));
    return std::to_string(got.status) + " refused";
  }
  CHECK(got.status == 0);
  CHECK(got.err == "");
  CHECK(right);
  return std::to_string(got.status) + (right ? " right" : " WRONG");
}

std::string cell_of_dump(const patient& of) {
  const auto got = of.run("era_dump", {"--compact"});
  return cell_of_reader(
      of, got, got.status == 0 && harness::parse_compact_dump(got.out).fold() == of.before);
}

std::string cell_of_list(const patient& of) {
  const auto got = of.run("era_invalidate", {"--written-since", "1"});
  return cell_of_reader(of, got, got.out == truth_of(of.before).invalidate_xml(1));
}

std::uint64_t earlier(const eras& after, const eras& before) {
  REQUIRE(after.size() >= before.size());  // of a lost superblock, the device may have been longer
  std::uint64_t count = 0;
  for (std::size_t block = 0; block < before.size(); ++block) {
    count += after[block] < before[block] ? 1 : 0;
  }
  return count;
}

// What a repair has written is clean, and says of no block that it was written earlier.
std::string cell_of_repaired(const patient& of, const std::string& path) {
  const auto checked = harness::run_bounded({harness::tool("era_check")}, path);
  INFO(checked.out << checked.err);
  CHECK(checked.status == 0);
  // A writeset keeps its length.
  const bool same_remark = of.recipe.code == "writeset-nr-bits";
  CHECK(problems_in_text(checked.out).empty() == !same_remark);
  const auto lost = earlier(eras_of(path), of.before);
  CHECK(lost == 0);
  return "0 -> " + std::to_string(checked.status) + (lost == 0 ? "" : " SHORT");
}

// It is another target's metadata, or of a version that nobody knows.
const std::set<std::string> beyond_repair = {"superblock-magic", "superblock-version"};

// The cell of a repair that ended so, and has `written` a file unless it should refuse.
std::string cell_of_repair(const patient& of, const harness::result& got, bool refuses,
                           const std::function<std::string()>& written) {
  INFO(got.err);
  if (refuses) {
    CHECK(got.status == 1);
    CHECK_THAT(got.err, Catch::Contains(of.path));
    return std::to_string(got.status) + " refused";
  }
  CHECK(got.status == 0);
  return got.status == 0 ? cell_of_repaired(of, written()) : std::to_string(got.status);
}

std::string cell_of_dump_repair(const patient& of) {
  const auto got = of.run("era_dump", {"--repair", "--compact"});
  const bool refuses =
      beyond_repair.count(of.recipe.code) != 0 || !of.recipe.repair_options.empty();
  CHECK(got.out.empty() == refuses);
  return cell_of_repair(of, got, refuses, [&] {
    const auto repaired = of.folder / "restored";
    fixtures::restore(got.out, repaired, of.bytes);
    return repaired;
  });
}

std::string cell_of_era_repair(const patient& of) {
  const auto repaired = of.folder / "repaired";
  harness::make_zeroed(repaired, of.bytes);
  const auto untouched = harness::read_file(repaired);
  words options = of.recipe.repair_options;
  options.insert(options.end(), {"-o", repaired, "-i"});
  const auto got = of.run("era_repair", options);
  const bool refuses = beyond_repair.count(of.recipe.code) != 0;
  CHECK((harness::read_file(repaired) == untouched) == refuses);
  return cell_of_repair(of, got, refuses, [&] { return repaired; });
}

}  // namespace

TEST_CASE("every code of doc/problems.md has a recipe, and every recipe a code") {
  std::set<std::string> codes;
  for (const auto& row : problems::table()) {
    codes.insert(row.code);
  }
  REQUIRE_FALSE(codes.empty());
  std::set<std::string> provoked;
  for (const auto& recipe : problems::recipes()) {
    INFO(recipe.code);
    CHECK(provoked.insert(recipe.code).second);
  }
  CHECK(provoked == codes);
}

TEST_CASE("era_check reports each problem, and no other") {
  for (const auto& recipe : problems::recipes()) {
    INFO(recipe.code);
    if (!can_be_had(recipe)) {
      continue;
    }
    const patient patient(recipe);
    const auto expected = text_of(patient.all_expected());
    const bool harmless = !patient.has("error") && !patient.has("non-fatal");
    CHECK(patient.expected.also.empty() == recipe.why_not_alone.empty());

    const auto text = patient.run("era_check");
    INFO(text.out << text.err);
    CHECK(text_of(problems_in_text(text.out)) == expected);
    CHECK(text.status == (harmless ? 0 : 1));
    CHECK(text.err.empty() == harmless);
    const auto json = patient.run("era_check", {"--format", "json"});
    CHECK(text_of(problems_in_json(json.out)) == expected);
    CHECK(json.status == text.status);
    const auto lenient = patient.run("era_check", {"--ignore-non-fatal-errors"});
    CHECK(lenient.status == (patient.has("error") ? 1 : 0));
  }
}

TEST_CASE("a table of all problems: what reads them, and what repairs them", "[slow]") {
  std::vector<words> table = {{"code", "severity", "era_check", "era_dump", "era_invalidate",
                               "era_dump --repair, restored -> era_check",
                               "era_repair -> era_check"}};
  for (const auto& recipe : problems::recipes()) {
    INFO(recipe.code);
    if (!can_be_had(recipe)) {
      continue;
    }
    const patient patient(recipe);
    table.push_back({recipe.code, problems::severity_of(recipe.code),
                     std::to_string(patient.run("era_check").status), cell_of_dump(patient),
                     cell_of_list(patient), cell_of_dump_repair(patient),
                     cell_of_era_repair(patient)});
  }
  harness::print_table(table);
}
