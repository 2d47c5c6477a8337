// Makes things ahead of their use, on a thread of its own: the blocks of the next window while this
// one is printed, the next piece of a file while this one is parsed. At most as many exist as there
// are slots, and those are used again and again, so memory is bounded.
//
// next() may be called by several threads, one at a time; what it returns may be used by any. The
// maker runs on the conveyor's thread alone, never twice at once, and what it used is the caller's
// again when next() has returned null or the conveyor is gone. Where no thread can be had, next()
// makes things itself.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/process.h"

namespace base {

template <typename T>
class conveyor {
 public:
  // `make` fills what may be a used T, and returns false when there is nothing more (then that T
  // does not count). What it throws comes out of next(), after all that was made before.
  conveyor(std::size_t slots, std::function<bool(T&)> make)
      : shared_(std::make_shared<shared>(slots)), make_(std::move(make)) {
    made_.reserve(slots);  // so that a thread of ours never lacks the memory to hand something on
    // The program's handlers are for the program's threads.
    const held_back_signals in_new_threads(signals::all);
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
      // Made one by one, then.
    }
  }

  // Waits for the maker to return. Nobody may be waiting for more; what next() returned may be held
  // for longer.
  ~conveyor() {
    {
      const std::lock_guard lock(shared_->mutex);
      stopped_ = true;
    }
    shared_->changed.notify_all();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  conveyor(const conveyor&) = delete;
  conveyor& operator=(const conveyor&) = delete;

  // The next in the order of making; null at the end. It waits until one is there, so somebody else
  // must not hold all of them for good.
  std::shared_ptr<T> next() {
    std::unique_lock lock(shared_->mutex);
    if (!thread_.joinable() && made_.empty() && !ended_) {
      make_one(lock);
    }
    shared_->changed.wait(lock, [&] { return !made_.empty() || ended_; });
    if (made_.empty()) {
      if (failure_) {
        std::rethrow_exception(failure_);
      }
      return nullptr;
    }
    T* const first = made_.front();
    made_.erase(made_.begin());
    lock.unlock();  // to give it back takes the lock, and that may be soon: there may be no memory
    return {first, [owner = shared_](T* used) { owner->give_back(used); }};
  }

 private:
  // What those that hold a T share with the conveyor, and keep when it is gone.
  struct shared {
    explicit shared(std::size_t count) {
      free.reserve(count);
      for (std::size_t i = 0; i < count; ++i) {
        slots.push_back(std::make_unique<T>());
        free.push_back(slots.back().get());
      }
    }

    void give_back(T* used) {
      {
        const std::lock_guard lock(mutex);
        free.push_back(used);
      }
      changed.notify_all();
    }

    std::vector<std::unique_ptr<T>> slots;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<T*> free;  // never grows beyond what was reserved
  };

  void run() {
    std::unique_lock lock(shared_->mutex);
    while (!ended_) {
      make_one(lock);
    }
  }

  void make_one(std::unique_lock<std::mutex>& lock) {
    shared_->changed.wait(lock, [&] { return !shared_->free.empty() || stopped_; });
    if (stopped_) {
      ended_ = true;
      return;
    }
    T* const slot = shared_->free.back();
    shared_->free.pop_back();
    lock.unlock();
    bool more = false;
    std::exception_ptr failure;
    try {
      more = make_(*slot);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (more) {
      made_.push_back(slot);
    } else {
      shared_->free.push_back(slot);
      failure_ = failure;
      ended_ = true;
    }
    shared_->changed.notify_all();
  }

  std::shared_ptr<shared> shared_;
  std::function<bool(T&)> make_;

  // Under the lock.
  std::vector<T*> made_;
  bool ended_ = false;
  bool stopped_ = false;
  std::exception_ptr failure_;

  std::thread thread_;
};

}  // namespace base
