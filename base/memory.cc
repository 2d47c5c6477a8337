#include "base/memory.h"

#include <cstdlib>

namespace base {

bool can_throw() {
  constexpr std::size_t more_than_is_set_aside = 128 * 1024;
  void* volatile probe = std::malloc(more_than_is_set_aside);  // volatile: else it's optimized away
  const bool got = probe != nullptr;
  std::free(probe);
  return got;
}

}  // namespace base
