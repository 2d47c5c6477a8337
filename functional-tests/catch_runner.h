// The main function of test programs, with Catch2's own, which takes long to compile. One thread.
#pragma once

namespace harness {

// Runs what the arguments ask for. The exit status is 0, 1 for failed tests, or 4, which says
// "skipped" to ctest, if `any_skipped` says so after tests that passed.
int run_tests(int argc, char** argv, bool (*any_skipped)());

}  // namespace harness
