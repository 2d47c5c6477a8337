#define CATCH_CONFIG_RUNNER
#include "catch_runner.h"

#include <csignal>

#include "catch.h"

namespace harness {

int run_tests(int argc, char** argv, bool (*any_skipped)()) {
  // A tool may stop reading its standard input at any time; the write then fails with EPIPE.
  std::signal(SIGPIPE, SIG_IGN);
  // Catch counts failures in its status, and they could be 4.
  if (Catch::Session().run(argc, argv) != 0) {
    return 1;
  }
  return any_skipped() ? 4 : 0;
}

}  // namespace harness
