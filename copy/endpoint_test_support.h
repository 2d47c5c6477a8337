// An end of a copy that exists in memory only, for tests: requests are done late, in another order
// than they were started in, and some of them fail. A request that breaks the rules of endpoint.h
// fails the test. Not thread safe.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "copy/copier.h"
#include "copy/endpoint.h"

namespace copy::test {

class memory_end final : public endpoint {
 public:
  memory_end(std::string name, std::string bytes)
      : stable(bytes), name_(std::move(name)), bytes_(std::move(bytes)) {}

  std::string stable;          // what flush() has put on stable storage
  std::uint64_t fails_at = 0;  // the number of the call that fails, counted from 1; 0: none
  std::uint64_t calls = 0;     // requests and flushes
  std::uint64_t longest = 0;   // bytes of a request
  std::size_t most_under_way = 0;
  bool loses_writes = false;              // it says that they are done
  bool in_order = false;                  // is_stream()
  std::vector<base::byte_range> written;  // in the order in which they were started
  std::vector<base::byte_range> zeroed;

  std::string& bytes() { return bytes_; }

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return bytes_.size(); }
  bool is_stream() const override { return in_order; }
  pollfd waits_for() override { return {-1, 0, 0}; }

  void start(request& wanted) override {
    EXPECT_GT(wanted.size, 0U);
    EXPECT_LE(wanted.offset + wanted.size, bytes_.size());
    EXPECT_TRUE(wanted.what == request::kind::zero || wanted.size <= wanted.room ||
                wanted.what == request::kind::write);
    if (wanted.what == request::kind::write) {
      written.push_back({wanted.offset, wanted.offset + wanted.size});
    } else if (wanted.what == request::kind::zero) {
      zeroed.push_back({wanted.offset, wanted.offset + wanted.size});
    }
    longest = std::max<std::uint64_t>(longest, wanted.size);
    under_way_.push_back(&wanted);
    most_under_way = std::max(most_under_way, under_way_.size());
  }

  // Every other time nothing is done yet.
  void collect(std::vector<request*>& done) override {
    if (under_way_.empty() || (is_late_ = !is_late_)) {
      return;
    }
    std::shuffle(under_way_.begin(), under_way_.end(), random_);
    const std::size_t count = 1 + random_() % under_way_.size();
    for (std::size_t i = 0; i < count; ++i) {
      do_one(*under_way_[i]);
      done.push_back(under_way_[i]);
    }
    under_way_.erase(under_way_.begin(), under_way_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  void abandon() noexcept override { under_way_.clear(); }

  void flush() override {
    if (++calls == fails_at) {
      throw base::io_error(name_ + ": cannot be flushed");
    }
    EXPECT_TRUE(under_way_.empty());
    stable = bytes_;
  }

  bool is_idle() const { return under_way_.empty(); }

 private:
  void do_one(request& wanted) {
    wanted.error = ++calls == fails_at ? EIO : 0;
    if (wanted.error != 0) {
      return;
    }
    char* const here = bytes_.data() + wanted.offset;
    if (wanted.what == request::kind::read) {
      std::memcpy(wanted.memory, here, wanted.size);
    } else if (!loses_writes) {
      wanted.what == request::kind::write ? std::memcpy(here, wanted.memory, wanted.size)
                                          : std::memset(here, 0, wanted.size);
    }
  }

  std::string name_;
  std::string bytes_;
  std::vector<request*> under_way_;
  std::mt19937 random_{1};
  bool is_late_ = false;
};

// Gives these extents.
inline extent_source these_extents(std::vector<extent> all) {
  return [all = std::move(all), i = std::size_t{0}]() mutable -> std::optional<extent> {
    return i < all.size() ? std::optional(all[i++]) : std::nullopt;
  };
}

inline extent_source these_ranges(const std::vector<base::byte_range>& ranges) {
  std::vector<extent> all;
  for (const base::byte_range& range : ranges) {
    all.push_back({range, false});
  }
  return these_extents(std::move(all));
}

// Bytes that differ from place to place, among which are zeros: every fourth unit of 4096 bytes,
// and 256 KiB in every MiB.
inline std::string patterned_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; i += 4) {
    const bool is_zero = i / 4096 % 4 == 3 || i / 262144 % 4 == 1;
    const std::uint32_t word = is_zero ? 0 : static_cast<std::uint32_t>(random()) | 1U;
    std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(4, size - i));
  }
  return bytes;
}

// Ranges in ascending order, apart from each other, at multiples of `unit`, cut at `size`.
inline std::vector<base::byte_range> random_ranges(std::uint64_t size, std::uint64_t unit,
                                                   unsigned seed) {
  std::mt19937 random(seed);
  std::vector<base::byte_range> found;
  for (std::uint64_t at = unit * (random() % 5); at < size;) {
    const std::uint64_t end = std::min(size, at + unit * (1 + random() % 20));
    found.push_back({at, end});
    at = end + unit * (1 + random() % 9);
  }
  return found;
}

inline std::uint64_t bytes_in(const std::vector<base::byte_range>& ranges) {
  std::uint64_t sum = 0;
  for (const base::byte_range& range : ranges) {
    sum += range.size();
  }
  return sum;
}

// The target with these ranges of the source.
inline std::string merged(std::string target, const std::string& source,
                          const std::vector<base::byte_range>& ranges) {
  for (const base::byte_range& range : ranges) {
    target.replace(range.first, range.size(), source, range.first, range.size());
  }
  return target;
}

}  // namespace copy::test
