// Each piece has a slot with memory of its own, and goes through the same stages:
//
//   reading → (comparing: what the target has) → writing → (checking: what the target has now)
//
// Requests of all slots are under way side by side. A target that is a stream gets the pieces in
// order: a slot whose bytes are there waits for those before it.
#include "copy/copier.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <vector>

#include "base/error.h"
#include "copy/segments.h"

namespace copy {
namespace {

using clock = std::chrono::steady_clock;
using kind = request::kind;

constexpr std::size_t nr_slots = 32;
constexpr std::size_t piece_bytes = 524288;
constexpr std::size_t page_bytes = 4096;
static_assert(piece_bytes % page_bytes == 0 && page_bytes % unit_bytes == 0);

struct freed {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using memory_block = std::unique_ptr<std::byte, freed>;

memory_block new_memory() {
  void* const memory = std::aligned_alloc(page_bytes, piece_bytes);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory_block(static_cast<std::byte*>(memory));
}

enum class stage { reading, read, comparing, writing, checking, done };

struct slot {
  base::byte_range bytes;
  stage now = stage::done;
  memory_block read;     // what the source has
  memory_block present;  // what the target has
  std::vector<request> requests;
  std::size_t under_way = 0;
  bool is_changed = false;  // something of it was written

  request part(kind what, const base::byte_range& of) {
    return {what, of.first, of.size(), at(read, of.first), 0, 0, nullptr};
  }

  request whole(kind what, const memory_block& memory) {
    std::byte* const begin = at(memory, bytes.first);
    const auto room = static_cast<std::size_t>(memory.get() + piece_bytes - begin);
    return {what, bytes.first, bytes.size(), begin, room, 0, nullptr};
  }

  // Aligned as the bytes are on the device, for direct requests.
  std::byte* at(const memory_block& memory, std::uint64_t offset) const {
    return memory.get() + bytes.first % page_bytes + (offset - bytes.first);
  }
};

const char* doing(kind what) {
  return what == kind::read ? "reading" : what == kind::write ? "writing" : "writing zeros";
}

class copying {
 public:
  copying(endpoint& from, endpoint& to, const extent_source& extents, std::uint64_t total,
          const copy_options& how, base::progress& progress)
      : from_(from), to_(to), extents_(extents), total_(total), how_(how), progress_(progress) {}

  copy_totals run();

 private:
  void copy_all();
  bool is_over() const { return is_last_ && rest_.bytes.size() == 0 && under_way() == 0; }
  std::size_t under_way() const { return slots_.size() - free_.size(); }

  bool start_pieces();
  bool take_extent();
  bool may_start();
  void start_piece();
  slot& take_slot();

  bool collect(endpoint& end);
  void ask(slot& of, endpoint& whom);
  void advance(slot& one);
  bool write_in_order();
  void compare(slot& one);
  void write(slot& one);
  void read_back(slot& one);
  void check(const slot& one) const;
  void finish(slot& one);

  void require_time() const;
  void wait() const;
  clock::duration until_rate_allows() const;

  endpoint& from_;
  endpoint& to_;
  const extent_source& extents_;
  std::uint64_t total_;
  const copy_options& how_;
  base::progress& progress_;

  std::vector<std::unique_ptr<slot>> slots_;
  std::vector<slot*> free_;
  std::deque<slot*> to_be_written_;  // where the target is a stream
  extent rest_;                      // of the present extent, what is in no piece yet
  bool is_last_ = false;             // there are no more extents
  bool goes_back_ = false;           // the present extent may lie where others are being written
  std::uint64_t furthest_ = 0;       // the end of all extents so far
  std::uint64_t started_ = 0;        // bytes
  clock::time_point begun_ = clock::now();
  copy_totals totals_;
};

copy_totals copying::run() {
  try {
    copy_all();
    to_.flush();
  } catch (...) {
    from_.abandon();
    to_.abandon();
    throw;
  }
  return totals_;
}

void copying::copy_all() {
  progress_.at(0, total_);
  for (;;) {
    require_time();
    bool moved = start_pieces();
    moved = collect(from_) || moved;
    moved = collect(to_) || moved;
    moved = write_in_order() || moved;
    if (is_over()) {
      return;
    }
    if (moved) {
      progress_.at(totals_.copied, total_);
    } else {
      wait();
    }
  }
}

bool copying::start_pieces() {
  bool started = false;
  while ((slots_.size() < nr_slots || !free_.empty()) && take_extent() && may_start()) {
    start_piece();
    started = true;
  }
  return started;
}

// Whether there is something to make a piece of.
bool copying::take_extent() {
  if (rest_.bytes.size() > 0 || is_last_) {
    return rest_.bytes.size() > 0;
  }
  const std::optional<extent> next = extents_();
  is_last_ = !next;
  rest_ = next.value_or(extent{});
  const std::uint64_t end = rest_.bytes.end;
  if (end > from_.size() || end > to_.size()) {
    const endpoint& shorter = end > from_.size() ? from_ : to_;
    throw base::io_error(shorter.name() + ": has " + std::to_string(shorter.size()) +
                         " bytes, but bytes up to " + std::to_string(end) + " are to be copied");
  }
  goes_back_ = rest_.bytes.first < furthest_;
  furthest_ = std::max(furthest_, end);
  return rest_.bytes.size() > 0;
}

bool copying::may_start() {
  if (goes_back_ && under_way() > 0) {
    return false;
  }
  goes_back_ = false;
  return until_rate_allows() == clock::duration::zero();
}

void copying::start_piece() {
  slot& one = take_slot();
  const std::uint64_t first = rest_.bytes.first;
  one.bytes = {first, std::min(rest_.bytes.end, (first / piece_bytes + 1) * piece_bytes)};
  one.now = stage::reading;
  rest_.bytes.first = one.bytes.end;
  started_ += one.bytes.size();
  if (to_.is_stream()) {
    to_be_written_.push_back(&one);
  }
  one.requests.clear();
  if (rest_.is_zero) {
    std::memset(one.at(one.read, first), 0, one.bytes.size());
    advance(one);
    return;
  }
  one.requests.push_back(one.whole(kind::read, one.read));
  ask(one, from_);
}

slot& copying::take_slot() {
  if (free_.empty()) {
    slots_.push_back(std::make_unique<slot>());
    slots_.back()->read = new_memory();
    if (how_.skip_equal || how_.verify) {
      slots_.back()->present = new_memory();
    }
    return *slots_.back();
  }
  slot& one = *free_.back();
  free_.pop_back();
  return one;
}

void copying::ask(slot& of, endpoint& whom) {
  of.under_way = of.requests.size();
  for (request& wanted : of.requests) {
    wanted.owner = &of;
    whom.start(wanted);
  }
}

bool copying::collect(endpoint& end) {
  std::vector<request*> done;
  end.collect(done);
  for (const request* const ended : done) {
    if (ended->error != 0) {
      throw base::io_error(base::system_message(
          end.name() + ": " + doing(ended->what) + " at byte " + std::to_string(ended->offset),
          ended->error));
    }
    slot& one = *static_cast<slot*>(ended->owner);
    if (--one.under_way == 0) {
      advance(one);
    }
  }
  return !done.empty();
}

// All that was asked for in the present stage is done: goes on with the next.
void copying::advance(slot& one) {
  switch (one.now) {
    case stage::reading:
      if (how_.skip_equal) {
        compare(one);
      } else if (to_.is_stream()) {
        one.now = stage::read;
      } else {
        write(one);
      }
      break;
    case stage::comparing:
      write(one);
      break;
    case stage::writing:
      if (how_.verify && one.is_changed) {
        read_back(one);
      } else {
        finish(one);
      }
      break;
    case stage::checking:
      check(one);
      finish(one);
      break;
    default:
      break;
  }
}

bool copying::write_in_order() {
  bool written = false;
  while (!to_be_written_.empty() && to_be_written_.front()->now == stage::read) {
    write(*to_be_written_.front());
    to_be_written_.pop_front();
    written = true;
  }
  return written;
}

void copying::compare(slot& one) {
  one.now = stage::comparing;
  one.requests = {one.whole(kind::read, one.present)};
  ask(one, to_);
}

void copying::write(slot& one) {
  const std::byte* const present = how_.skip_equal ? one.at(one.present, one.bytes.first) : nullptr;
  one.now = stage::writing;
  one.requests.clear();
  for (const segment& part :
       segments_of(one.bytes, one.at(one.read, one.bytes.first), present, how_.sparse)) {
    const std::uint64_t size = part.bytes.size();
    switch (part.what) {
      case segment::kind::equal:
        totals_.skipped += size;
        break;
      case segment::kind::zeros:
        totals_.zeroed += size;
        one.requests.push_back(one.part(kind::zero, part.bytes));
        break;
      case segment::kind::data:
        totals_.written += size;
        one.requests.push_back(one.part(kind::write, part.bytes));
        break;
    }
  }
  one.is_changed = !one.requests.empty();
  if (one.is_changed) {
    ask(one, to_);
  } else {
    finish(one);
  }
}

void copying::read_back(slot& one) {
  one.now = stage::checking;
  one.requests = {one.whole(kind::read, one.present)};
  ask(one, to_);
}

void copying::check(const slot& one) const {
  const std::byte* const written = one.at(one.read, one.bytes.first);
  const std::byte* const found = one.at(one.present, one.bytes.first);
  const std::size_t size = one.bytes.size();
  if (const std::size_t at =
          static_cast<std::size_t>(std::mismatch(written, written + size, found).first - written);
      at < size) {
    throw base::data_error(to_.name() + ": reads back something else than was written, at byte " +
                           std::to_string(one.bytes.first + at) +
                           "\nThe device or what lies beneath it is failing, or somebody else "
                           "writes to it.");
  }
}

void copying::finish(slot& one) {
  one.now = stage::done;
  totals_.copied += one.bytes.size();
  free_.push_back(&one);
}

void copying::require_time() const {
  if (how_.deadline && clock::now() >= *how_.deadline) {
    throw base::io_error(to_.name() + ": the time for copying was over before all was copied");
  }
}

clock::duration copying::until_rate_allows() const {
  if (how_.rate == 0) {
    return clock::duration::zero();
  }
  const std::chrono::duration<double> due(static_cast<double>(started_) /
                                          static_cast<double>(how_.rate));
  const auto left = begun_ + std::chrono::duration_cast<clock::duration>(due) - clock::now();
  return std::max(left, clock::duration::zero());
}

// Until something may be done; not for long, so that neither rate nor deadline is overlooked.
void copying::wait() const {
  constexpr clock::duration longest = std::chrono::milliseconds(100);
  clock::duration time = longest;
  if (const auto rate = until_rate_allows(); rate > clock::duration::zero()) {
    time = std::min(time, rate);
  }
  std::array<pollfd, 2> ends = {from_.waits_for(), to_.waits_for()};
  const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(time);
  if (::poll(ends.data(), ends.size(), static_cast<int>(rounded_up.count())) < 0 &&
      errno != EINTR) {
    throw base::io_error(base::system_message("poll", errno));
  }
}

}  // namespace

copy_totals& copy_totals::operator+=(const copy_totals& more) {
  copied += more.copied;
  written += more.written;
  zeroed += more.zeroed;
  skipped += more.skipped;
  return *this;
}

copy_totals copy_extents(endpoint& from, endpoint& to, const extent_source& extents,
                         std::uint64_t total, const copy_options& how, base::progress& progress) {
  return copying(from, to, extents, total, how, progress).run();
}

}  // namespace copy
