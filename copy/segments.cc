#include "copy/segments.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace copy {
namespace {

using kind = segment::kind;

void append(std::vector<segment>& to, const segment& next) {
  if (!to.empty() && to.back().what == next.what) {
    to.back().bytes.end = next.bytes.end;
  } else {
    to.push_back(next);
  }
}

// A hole between two runs of data that is not worth it.
bool is_small_hole(const std::vector<segment>& all, std::size_t i) {
  const auto is_data = [&](std::size_t at) {
    return at < all.size() && all[at].what == kind::data;
  };
  return all[i].what == kind::zeros && all[i].bytes.size() < smallest_hole &&
         (is_data(i + 1) || (i > 0 && is_data(i - 1)));
}

}  // namespace

std::vector<segment> segments_of(const base::byte_range& bytes, const std::byte* memory,
                                 const std::byte* present, bool sparse) {
  std::vector<segment> found;
  for (std::uint64_t at = bytes.first; at < bytes.end;) {
    const std::uint64_t end = std::min(bytes.end, (at / unit_bytes + 1) * unit_bytes);
    const std::size_t skip = at - bytes.first;
    const std::size_t size = end - at;
    const bool is_there =
        present != nullptr && std::memcmp(memory + skip, present + skip, size) == 0;
    append(found, {is_there                                       ? kind::equal
                   : sparse && base::is_zero(memory + skip, size) ? kind::zeros
                                                                  : kind::data,
                   {at, end}});
    at = end;
  }
  std::vector<segment> joined;
  for (std::size_t i = 0; i < found.size(); ++i) {
    append(joined, {is_small_hole(found, i) ? kind::data : found[i].what, found[i].bytes});
  }
  return joined;
}

}  // namespace copy
