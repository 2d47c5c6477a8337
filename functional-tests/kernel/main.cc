#define CATCH_CONFIG_RUNNER
#include <csignal>

#include "../catch.h"
#include "guest.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // Catch counts failures in its status, and they could be 4, which says "skipped" to ctest.
  if (Catch::Session().run(argc, argv) != 0) {
    return 1;
  }
  return kernel::any_skipped() ? 4 : 0;
}
