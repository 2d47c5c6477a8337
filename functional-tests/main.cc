#include "catch.h"
#include "catch_runner.h"
#include "fixtures.h"

TEST_CASE("no test is named like an option") {
  // ctest passes the name as the argument: "-o to a file" would run all tests and write their
  // results to that file.
  for (const auto& test : Catch::getRegistryHub().getTestCaseRegistry().getAllTests()) {
    CHECK_THAT(test.getTestCaseInfo().name, !Catch::StartsWith("-"));
  }
}

int main(int argc, char** argv) {
  return harness::run_tests(argc, argv, fixtures::any_peer_skipped);
}
