#include "era/check/check_report.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/file_test_support.h"

namespace {

using era::check_report;

using report_maker = std::unique_ptr<check_report> (*)(base::output&, const std::string&);

// What a report prints on which `steps` are done.
std::string printed(report_maker make, const std::function<void(check_report&)>& steps) {
  const base::test::temporary_folder folder;
  base::output out(folder / "report");
  const std::unique_ptr<check_report> report = make(out, "m");
  steps(*report);
  out.commit();
  return base::test::read_file(folder / "report");
}

const era::problem a_problem{
    era::problem_code::writeset_era, {era::structure::writeset_tree, false, 0, false}, 7, "odd"};

TEST(json_report, says_what_the_check_ended_with) {
  const auto report = nlohmann::json::parse(printed(era::json_report, [](check_report& r) {
    r.found(a_problem);
    r.finish({}, era::bounded_sink(r), "m: damaged.");
  }));
  EXPECT_EQ(report.at("error"), "m: damaged.");
  EXPECT_EQ(report.at("problems").size(), 1U);
}

TEST(json_report, names_no_error_where_there_is_none) {
  const auto report = nlohmann::json::parse(
      printed(era::json_report, [](check_report& r) { r.finish({}, era::bounded_sink(r), ""); }));
  EXPECT_FALSE(report.contains("error"));
}

TEST(json_report, is_completed_where_the_check_fails) {
  for (const int problems : {0, 1, 2}) {
    const auto report = nlohmann::json::parse(printed(era::json_report, [&](check_report& r) {
      for (int i = 0; i < problems; ++i) {
        r.found(a_problem);
      }
      r.fail("m: gone.");
    }));
    EXPECT_EQ(report.at("tool"), "era_check");
    EXPECT_EQ(report.at("version"), ERA_TOOLS_VERSION);
    EXPECT_EQ(report.at("file"), "m");
    EXPECT_EQ(report.at("problems").size(), problems);
    EXPECT_EQ(report.at("error"), "m: gone.");
  }
}

TEST(text_report, is_empty_where_nothing_was_found_until_the_check_failed) {
  EXPECT_EQ(printed(era::text_report, [](check_report& r) { r.fail("m: gone."); }), "");
}

TEST(text_report, keeps_what_was_found_until_the_check_failed) {
  const std::string report = printed(era::text_report, [](check_report& r) {
    r.found(a_problem);
    r.fail("m: gone.");
  });
  EXPECT_EQ(report.substr(0, 6), "error ");
  EXPECT_NE(report.find("odd"), std::string::npos);
  EXPECT_TRUE(report.ends_with("\nm: the check ended early, so there may be more\n")) << report;
}

}  // namespace
