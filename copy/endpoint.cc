#include "copy/endpoint.h"

#include "base/error.h"

namespace copy {

void endpoint::grow_to(std::uint64_t bytes) {
  if (size() < bytes) {
    throw base::io_error(name() + ": has only " + std::to_string(size()) + " bytes, and " +
                         std::to_string(bytes) + " are needed");
  }
}

void endpoint::collect(std::vector<request*>& done) {
  done.insert(done.end(), done_.begin(), done_.end());
  done_.clear();
}

}  // namespace copy
