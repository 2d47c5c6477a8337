#include "era/rollback/list_builder.h"

#include <string>

#include "base/error.h"

namespace era {

void list_builder::add(std::uint64_t first, std::uint64_t end) {
  const std::string run = std::to_string(first) + " to " + std::to_string(end);
  if (first >= end) {
    throw base::data_error("the range " + run + " is empty or backwards");
  }
  if (end > end_) {
    throw base::data_error("the range " + run + " goes beyond the last of " + std::to_string(end_) +
                           " blocks");
  }
  if (first < next_) {
    throw base::data_error("the range " + run + " does not come after those before it");
  }
  blocks_.grow_to(end);
  blocks_.add({first, end});
  next_ = end;
  total_ += end - first;
}

}  // namespace era
