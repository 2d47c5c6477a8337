// Copies extents of bytes from one endpoint to another, with many requests under way in bounded
// memory (32 MiB at most, whatever the size).
//
// An extent is cut into pieces. Each piece is read, then written, or made zeros, or left as it is
// where the target has the same bytes already, and read back where that is wanted. Pieces overtake
// one another, but extents that overlap do not. Not thread safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/byte_range.h"
#include "base/progress.h"
#include "copy/endpoint.h"

namespace copy {

struct extent {
  base::byte_range bytes;
  bool is_zero = false;  // known to be zeros: not read

  bool operator==(const extent&) const = default;
};

// Gives one extent after the other, not empty, and none at the end. What it throws ends the copy.
using extent_source = std::function<std::optional<extent>()>;

struct copy_options {
  bool skip_equal = false;  // read the target first, write only what differs
  bool verify = false;      // read back what was written, and compare
  bool sparse = true;       // zeros become holes; if not, they are written like other bytes
  std::uint64_t rate = 0;   // bytes a second at most; 0: as fast as can be
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
};

// Bytes.
struct copy_totals {
  std::uint64_t copied = 0;  // of all extents: the sum of the following
  std::uint64_t written = 0;
  std::uint64_t zeroed = 0;   // made holes or zeros without being sent
  std::uint64_t skipped = 0;  // equal already

  copy_totals& operator+=(const copy_totals& more);
};

// Copies them all, and flushes the target. `total` is the bytes of all extents, for the progress; 0
// if not known. Throws base::io_error where an endpoint fails or lies past its end, naming it and
// the place; base::io_error for a deadline that has passed; base::data_error where what is read
// back differs. Then the target has some of the pieces, nobody knows which; no request is under way
// any more.
copy_totals copy_extents(endpoint& from, endpoint& to, const extent_source& extents,
                         std::uint64_t total, const copy_options& how, base::progress& progress);

}  // namespace copy
