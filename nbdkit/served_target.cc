#include "nbdkit/served_target.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/process.h"

namespace served {

served_target::served_target(era::target& running, std::function<void(const std::string&)> report)
    : target_(running),
      report_(std::move(report)),
      block_bytes_(running.block_size() * era::sector_bytes) {}

served_target::~served_target() {
  stop();
}

void served_target::start() {
  stopping_ = false;
  const base::held_back_signals all(base::signals::all);  // they are the server's
  thread_ = std::thread([this] { work(); });
}

void served_target::stop() {
  {
    const lock held(mutex_);
    stopping_ = true;
    work_.notify_one();
    gate_.notify_all();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

served_target::write_pass::~write_pass() {
  if (of_ != nullptr) {
    of_->leave();
  }
}

era::block_range served_target::blocks_of(const base::byte_range& bytes) const {
  const std::uint64_t first = bytes.first / block_bytes_;
  return {first, bytes.size() == 0 ? first : base::ceil_div(bytes.end, block_bytes_)};
}

served_target::write_pass served_target::begin_write(const base::byte_range& bytes) {
  write_pass pass = enter();
  if (const auto mine = join_batch(blocks_of(bytes))) {
    mine->done.wait(0);
    if (mine->failure) {
      std::rethrow_exception(mine->failure);
    }
  }
  return pass;
}

// Null if all are marked.
std::shared_ptr<served_target::batch> served_target::join_batch(const era::block_range& blocks) {
  const lock held(mutex_);
  if (blocks.first == blocks.end || target_.is_marked(blocks)) {
    return nullptr;
  }
  if (!gathering_) {
    gathering_ = std::make_shared<batch>();
    work_.notify_one();
  }
  gathering_->blocks.push_back(blocks);
  return gathering_;
}

bool served_target::gate_is_closed() const {
  return std::any_of(calls_.begin(), calls_.end(),
                     [](const waiting_call* call) { return call->meanwhile == writes::wait; });
}

served_target::write_pass served_target::enter() {
  lock held(mutex_);
  gate_.wait(held, [&] { return stopping_ || !gate_is_closed(); });
  if (stopping_) {
    throw base::io_error("the server is being stopped");
  }
  ++writes_under_way_;
  return write_pass(*this);
}

void served_target::leave() {
  const lock held(mutex_);
  --writes_under_way_;
  if (writes_under_way_ == 0 && (stopping_ || gate_is_closed())) {
    work_.notify_one();
  }
}

void served_target::call(writes meanwhile, const std::function<void(era::target&)>& job) {
  lock held(mutex_);
  if (stopping_) {
    throw base::io_error("the server is being stopped");
  }
  waiting_call mine{meanwhile, &job};
  calls_.push_back(&mine);
  work_.notify_one();
  mine.wake.wait(held, [&] { return mine.done; });
  held.unlock();
  if (mine.failure) {
    std::rethrow_exception(mine.failure);
  }
}

// The first that may be made now, or null.
served_target::waiting_call* served_target::due_call() const {
  const auto due = std::find_if(calls_.begin(), calls_.end(), [&](const waiting_call* call) {
    return call->meanwhile == writes::go_on || writes_under_way_ == 0;
  });
  return due == calls_.end() ? nullptr : *due;
}

// After each lot of marks a call, or new writes could keep who asks waiting for ever.
void served_target::work() {
  lock held(mutex_);
  for (;;) {
    if (const auto ready = std::exchange(gathering_, nullptr)) {
      mark(*ready, held);
      if (waiting_call* const call = due_call()) {
        run_call(*call, held);
      }
    } else if (waiting_call* const call = due_call()) {
      run_call(*call, held);
    } else if (stopping_) {
      if (writes_under_way_ == 0) {
        return;
      }
      work_.wait(held);
    } else if (may_digest_) {
      digest(held);
    } else {
      work_.wait(held);
    }
  }
}

// A step of digestion goes before, so that it gets on however many writes there are.
void served_target::mark(batch& ready, lock& held) {
  held.unlock();
  bool digests_on = false;
  try {
    digests_on = digest_step();
    target_.commit_marks(ready.blocks);
  } catch (...) {
    ready.failure = std::current_exception();
  }
  held.lock();
  may_digest_ = may_digest_ && digests_on;
  if (!ready.failure) {
    digested_something_ = false;
    target_.note_marked(ready.blocks);
  }
  ready.done = 1;
  ready.done.notify_all();
}

void served_target::run_call(waiting_call& call, lock& held) {
  held.unlock();
  try {
    (*call.job)(target_);
  } catch (...) {
    call.failure = std::current_exception();
  }
  held.lock();
  std::erase(calls_, &call);
  may_digest_ = !target_.has_failed();
  call.done = true;
  call.wake.notify_one();
  gate_.notify_all();
}

// Commits when there is nothing left to do, so that an idle server leaves nothing to be lost.
void served_target::digest(lock& held) {
  const bool had_something = digested_something_;
  held.unlock();
  bool goes_on = false;
  try {
    goes_on = digest_step();
    if (!goes_on && had_something && !target_.has_failed()) {
      target_.commit();
    }
  } catch (const std::exception& e) {
    report_(e.what());
  }
  held.lock();
  may_digest_ = goes_on;
  digested_something_ = goes_on;
}

bool served_target::digest_step() {
  return may_digest_ && !target_.has_failed() && target_.step();
}

}  // namespace served
