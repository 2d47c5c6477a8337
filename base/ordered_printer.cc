#include "base/ordered_printer.h"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

namespace base {
namespace {

constexpr unsigned most_threads = 8;

// Pieces that wait for each thread: so many that put() sleeps and wakes for several at a time.
constexpr std::size_t waiting_for_each = 8;

}  // namespace

ordered_printer::ordered_printer(output& out, unsigned threads) : out_(out) {
  if (threads == 0) {
    threads = std::clamp(std::thread::hardware_concurrency(), 1U, most_threads);
  }
  try {
    threads_.reserve(threads);
    while (threads_.size() < threads) {
      threads_.emplace_back([this] { work(); });
    }
  } catch (const std::system_error&) {
    // Those that there are will do.
  } catch (const std::bad_alloc&) {
  }
}

ordered_printer::~ordered_printer() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    waiting_.clear();
  }
  wake_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void ordered_printer::throw_failure() const {
  if (failure_) {
    std::rethrow_exception(failure_);
  }
}

void ordered_printer::wake_all() {
  has_room_.notify_all();
  has_pieces_.notify_all();
  turn_passed_.notify_all();
}

void ordered_printer::put(text_maker make) {
  std::unique_lock lock(mutex_);
  throw_failure();
  if (threads_.empty()) {
    lock.unlock();
    make_and_print({given_++, std::move(make)}, own_);
    throw_failure();
    return;
  }
  has_room_.wait(lock,
                 [&] { return waiting_.size() < waiting_for_each * threads_.size() || failure_; });
  throw_failure();
  waiting_.push_back({given_++, std::move(make)});
  lock.unlock();
  has_pieces_.notify_one();
}

void ordered_printer::finish() {
  std::unique_lock lock(mutex_);
  has_room_.wait(lock, [&] { return printed_ == given_ || failure_; });
  throw_failure();
}

void ordered_printer::work() {
  text room;
  std::unique_lock lock(mutex_);
  for (;;) {
    has_pieces_.wait(lock, [&] { return !waiting_.empty() || ended_ || failure_; });
    if (failure_ || waiting_.empty()) {
      return;
    }
    {
      const numbered piece = std::move(waiting_.front());
      waiting_.pop_front();
      const bool half_empty = waiting_.size() == waiting_for_each * threads_.size() / 2;
      lock.unlock();
      if (half_empty) {
        has_room_.notify_one();
      }
      make_and_print(piece, room);
    }
    lock.lock();
  }
}

void ordered_printer::make_and_print(const numbered& piece, text& room) {
  std::exception_ptr failure;
  try {
    room.clear();
    piece.make(room);
  } catch (...) {
    failure = std::current_exception();
  }
  print(piece.number, room, failure);
}

void ordered_printer::print(std::uint64_t number, const text& piece, std::exception_ptr failure) {
  std::unique_lock lock(mutex_);
  turn_passed_.wait(lock, [&] { return printed_ == number || failure_; });
  if (failure_) {
    return;
  }
  if (!failure) {
    lock.unlock();
    try {
      out_ << piece.view();
      if (hear_) {
        hear_(piece.view());
      }
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
  }
  failure_ = failure;
  ++printed_;
  const bool all_done = printed_ == given_;
  lock.unlock();
  if (failure) {
    wake_all();
    return;
  }
  turn_passed_.notify_all();
  if (all_done) {
    has_room_.notify_one();
  }
}

}  // namespace base
