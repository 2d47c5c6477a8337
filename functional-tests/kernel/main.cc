#include "../catch_runner.h"
#include "guest.h"

int main(int argc, char** argv) {
  return harness::run_tests(argc, argv, kernel::any_skipped);
}
