#include "device-mapper/guardian.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>

#include "base/error.h"
#include "base/message.h"

namespace dm {
namespace {

// What is sent to a guardian, whole (SOCK_SEQPACKET).
struct order {
  std::uint64_t note = 0;
  bool is_watching = false;
  guardian::clock::time_point deadline = guardian::clock::time_point::max();
};

[[noreturn]] void refuse(int error) {
  throw base::io_error(base::system_message("the guardian process cannot be started", error,
                                            "Nothing was sent to the device."));
}

bool send(int line, const order& sent) {
  return base::retry([&] { return ::send(line, &sent, sizeof sent, MSG_NOSIGNAL); }) ==
         static_cast<ssize_t>(sizeof sent);
}

// Whether there is something to hear before the deadline.
bool comes_in_time(int line, guardian::clock::time_point deadline) {
  constexpr auto longest = std::chrono::hours(1);
  pollfd event{line, POLLIN, 0};
  for (;;) {
    const auto now = guardian::clock::now();
    if (now >= deadline) {
      return false;
    }
    const auto left = std::min<guardian::clock::duration>(deadline - now, longest);
    const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(left);
    if (::poll(&event, 1, static_cast<int>(rounded_up.count())) > 0) {
      return true;
    }
  }
}

enum class outcome { done, nothing_to_do, failed };

outcome do_work(const guardian::action& work, const order& wanted) {
  try {
    return wanted.is_watching && work(wanted.note) ? outcome::done : outcome::nothing_to_do;
  } catch (...) {
    return outcome::failed;
  }
}

// Does the work at a deadline, or when the other end has gone. Returns whether that succeeded in
// the end.
bool serve(int line, const guardian::action& work) {
  constexpr auto between_tries = std::chrono::milliseconds(100);
  order last;
  order next;
  for (;;) {
    if (!comes_in_time(line, last.deadline)) {
      if (do_work(work, last) == outcome::done) {
        last = {};
      } else {
        last.deadline = guardian::clock::now() + between_tries;
      }
      continue;
    }
    if (base::retry([&] { return ::recv(line, &next, sizeof next, 0); }) !=
        static_cast<ssize_t>(sizeof next)) {
      return do_work(work, last) != outcome::failed;
    }
    last = next;
  }
}

void leave_the_session() {
  for (const int number : base::ending_signals) {
    std::signal(number, SIG_IGN);
  }
  std::signal(SIGPIPE, SIG_IGN);
  ::setsid();
  ::prctl(PR_SET_NAME, "era_guardian");
}

// All but these two descriptors.
void close_all_but(int one, int other) {
  const int low = std::min(one, other);
  const int high = std::max(one, other);
  const auto close_between = [](int after, int before) {
    if (after + 1 < before) {
      ::close_range(static_cast<unsigned>(after + 1), static_cast<unsigned>(before - 1), 0);
    }
  };
  close_between(-1, low);
  close_between(low, high);
  close_between(high, INT_MAX);
}

[[noreturn]] void stand_guard(int line, int kept, const guardian::action& work,
                              guardian::memory kind) {
  leave_the_session();
  close_all_but(line, kept);
  base::fill_standard_streams();
  if (kind == guardian::memory::locked) {
    static_cast<void>(::mlockall(MCL_CURRENT | MCL_FUTURE));
  }
  send(line, {});  // it is ready
  ::_exit(serve(line, work) ? 0 : 1);
}

}  // namespace

guardian::guardian(const action& work, int kept, std::string if_it_fails, memory kind)
    : if_it_fails_(std::move(if_it_fails)) {
  // A signal would end a child that is not ready, or find one that nobody has noted.
  const base::held_back_signals until_ready;
  start(work, kept, kind);
  try {
    awaited_.emplace(child_, line_.fd(), if_it_fails_.c_str());
  } catch (...) {
    wait();
    throw;
  }
  order ready;
  if (base::retry([&] { return ::recv(line_.fd(), &ready, sizeof ready, 0); }) !=
      static_cast<ssize_t>(sizeof ready)) {
    wait();
    refuse(ECHILD);
  }
}

void guardian::start(const action& work, int kept, memory kind) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    refuse(errno);
  }
  line_ = base::file_handle(ends[0]);
  const base::file_handle other_end(ends[1]);
  child_ = ::fork();
  if (child_ < 0) {
    refuse(errno);
  }
  if (child_ == 0) {
    stand_guard(other_end.fd(), kept, work, kind);
  }
}

guardian::~guardian() {
  if (child_ >= 0 && !wait() && !if_it_fails_.empty()) {
    base::say(if_it_fails_);
  }
}

bool guardian::finish() noexcept {
  return child_ >= 0 && wait();
}

void guardian::watch(std::uint64_t note, clock::time_point deadline) {
  if (!send(line_.fd(), {note, true, deadline})) {
    throw base::io_error("the guardian process has ended, by a signal of somebody else's");
  }
}

void guardian::dismiss() noexcept {
  if (child_ >= 0) {
    send(line_.fd(), {});
    wait();
  }
}

// Whether the child, which the end of the line makes act, has succeeded. A signal may come at any
// point, and wait as well: so the line stays open for it.
bool guardian::wait() noexcept {
  ::shutdown(line_.fd(), SHUT_WR);
  int status = 0;
  const bool ended = base::retry([&] { return ::waitpid(child_, &status, 0); }) == child_;
  awaited_.reset();
  child_ = -1;
  return ended && status == 0;
}

}  // namespace dm
