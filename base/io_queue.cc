#include "base/io_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"

namespace base {

io_queue::io_queue(int depth, std::string name, polling how)
    : depth_(depth), name_(std::move(name)) {
  if (::io_setup(depth, &context_) != 0) {
    context_ = nullptr;
  }
  if (how == polling::by_event_fd) {
    event_ = file_handle(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!event_.is_open()) {
      const int error = errno;
      if (context_ != nullptr) {
        ::io_destroy(context_);
      }
      throw io_error(system_message(name_, error));
    }
  }
  events_.resize(static_cast<std::size_t>(depth));
}

io_queue::~io_queue() {
  if (context_ != nullptr) {
    ::io_destroy(context_);
  }
}

void io_queue::run(io_request& wanted) {
  const auto offset = static_cast<off_t>(wanted.offset);
  wanted.result = retry([&] {
    return wanted.writes ? ::pwritev(wanted.fd, wanted.parts, wanted.nr_parts, offset)
                         : ::preadv(wanted.fd, wanted.parts, wanted.nr_parts, offset);
  });
  if (wanted.result < 0) {
    wanted.result = -errno;
  }
}

void io_queue::collect(std::vector<io_request*>& done) {
  submit();
  if (in_flight_ > 0) {
    reap(0);
    submit();
  }
  hand_over(done);
}

void io_queue::hand_over(std::vector<io_request*>& done) {
  done.insert(done.end(), done_.begin(), done_.end());
  done_.clear();
}

void io_queue::wait(std::vector<io_request*>& done) {
  submit();
  if (in_flight_ > 0) {
    reap(done_.empty() ? 1 : 0);
  }
  hand_over(done);
}

void io_queue::submit() {
  while (!waiting_.empty() && in_flight_ < depth_) {
    if (context_ == nullptr) {
      run_first();
      continue;
    }
    batch_.clear();
    const auto most = std::min(waiting_.size(), static_cast<std::size_t>(depth_ - in_flight_));
    for (std::size_t i = 0; i < most; ++i) {
      io_request& next = *waiting_[i];
      (next.writes ? ::io_prep_pwritev : ::io_prep_preadv)(
          &next.control, next.fd, next.parts, next.nr_parts, static_cast<long long>(next.offset));
      next.control.data = &next;
      if (event_.is_open()) {
        ::io_set_eventfd(&next.control, event_.fd());
      }
      batch_.push_back(&next.control);
    }
    const int taken = ::io_submit(context_, static_cast<long>(most), batch_.data());
    if (taken > 0) {
      waiting_.erase(waiting_.begin(), waiting_.begin() + taken);
      in_flight_ += taken;
    } else if (taken == 0 || taken == -EAGAIN) {
      if (in_flight_ > 0) {
        return;  // there will be room when some of them are done
      }
      run_first();
    } else if (taken != -EINTR) {
      waiting_.front()->result = taken;
      done_.push_back(waiting_.front());
      waiting_.pop_front();
    }
  }
}

void io_queue::run_first() {
  run(*waiting_.front());
  done_.push_back(waiting_.front());
  waiting_.pop_front();
}

void io_queue::reap(long at_least) {
  if (event_.is_open() && at_least == 0) {
    std::uint64_t count = 0;
    if (::read(event_.fd(), &count, sizeof count) < 0 && errno == EAGAIN) {
      return;  // nothing is done
    }
  }
  timespec at_once{};
  int got = 0;
  do {
    got = ::io_getevents(context_, at_least, depth_, events_.data(),
                         at_least == 0 ? &at_once : nullptr);
  } while (got == -EINTR);
  if (got < 0) {
    // The memory belongs to requests under way; io_destroy waits for those.
    ::io_destroy(std::exchange(context_, nullptr));
    in_flight_ = 0;
    throw io_error(system_message(name_, -got));
  }
  for (int i = 0; i < got; ++i) {
    auto* const ended = static_cast<io_request*>(events_[static_cast<std::size_t>(i)].data);
    ended->result = static_cast<long>(events_[static_cast<std::size_t>(i)].res);
    done_.push_back(ended);
  }
  in_flight_ -= got;
}

}  // namespace base
