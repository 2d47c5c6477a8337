#include "base/print_in_order.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace base {
namespace {

constexpr unsigned most_threads = 8;

class press {
 public:
  press(output& out, const std::function<text_maker()>& next) : out_(out), next_(next) {}

  void run(unsigned threads) {
    std::vector<std::thread> helpers;
    helpers.reserve(threads);
    try {
      while (helpers.size() + 1 < threads) {
        helpers.emplace_back([this] { work(); });
      }
    } catch (const std::system_error&) {
      // Fewer do as well.
    } catch (const std::bad_alloc&) {
    }
    work();
    for (std::thread& helper : helpers) {
      helper.join();
    }
    if (failure_) {
      std::rethrow_exception(failure_);
    }
  }

 private:
  void work() {
    text piece;
    std::uint64_t number = 0;
    while (make_next(piece, number)) {
    }
  }

  // False when there is nothing more to do.
  bool make_next(text& piece, std::uint64_t& number) {
    std::exception_ptr failure;
    try {
      const text_maker make = take_next(number);
      if (!make) {
        return false;
      }
      piece.clear();
      make(piece);
    } catch (...) {
      failure = std::current_exception();
    }
    return print(piece, number, failure);
  }

  text_maker take_next(std::uint64_t& number) {
    const std::lock_guard lock(next_mutex_);
    number = taken_;
    if (at_end_) {
      return nullptr;
    }
    at_end_ = true;  // unless the call succeeds
    text_maker make = next_();
    at_end_ = !make;
    taken_ += 1;
    return make;
  }

  bool print(const text& piece, std::uint64_t number, std::exception_ptr failure) {
    std::unique_lock lock(turn_mutex_);
    turn_passed_.wait(lock, [&] { return printed_ == number || failure_; });
    if (failure_) {
      return false;
    }
    if (!failure) {
      lock.unlock();
      try {
        out_ << piece.view();
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
    }
    failure_ = failure;
    ++printed_;
    turn_passed_.notify_all();
    return !failure_;
  }

  output& out_;
  const std::function<text_maker()>& next_;

  std::mutex next_mutex_;
  std::uint64_t taken_ = 0;
  bool at_end_ = false;

  std::mutex turn_mutex_;
  std::condition_variable turn_passed_;
  std::uint64_t printed_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

void print_in_order(output& out, const std::function<text_maker()>& next, unsigned threads) {
  if (threads == 0) {
    threads = std::clamp(std::thread::hardware_concurrency(), 1U, most_threads);
  }
  press(out, next).run(threads);
}

}  // namespace base
