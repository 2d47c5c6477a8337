// Whether it pays to ask the page cache before the disk: each hit earns a little, each miss costs a
// lot. A file that is not cached is given up at once, one that is but for a few pages is not: even
// those that are there can't always be had, while the kernel makes large pages of small ones. Not
// thread safe.
#pragma once

#include <algorithm>

namespace base {

class cache_credit {
 public:
  bool is_left() const { return credit_ >= 0; }
  void hit() { credit_ = std::min(credit_ + 1, most); }
  void miss() { credit_ -= price_of_a_miss; }

 private:
  static constexpr int price_of_a_miss = 8;
  static constexpr int most = 128 * price_of_a_miss;

  int credit_ = price_of_a_miss;
};

}  // namespace base
