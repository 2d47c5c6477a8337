#include "base/process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/message.h"

namespace base {
namespace {

// What a handler may look at: memory that is always there, and atomics without a lock.
struct slot_base {
  std::atomic<bool> taken = false;
  std::atomic<bool> valid = false;  // all that is in the slot besides

  void give_back() {
    valid.store(false, std::memory_order_release);
    taken.store(false);
  }
};
struct doomed_slot : slot_base {
  int folder = -1;
  char name[doomed_file::longest_name + 1] = {};
};
struct awaited_slot : slot_base {
  pid_t child = -1;
  int line = -1;
  const char* if_it_fails = "";
};
static_assert(std::atomic<bool>::is_always_lock_free);

constinit std::array<doomed_slot, 16> slots;
constinit std::array<awaited_slot, 64> awaited;

// The number of a slot that nobody had taken.
template <typename slots_of_a_kind>
std::size_t take_free(slots_of_a_kind& all, const char* if_there_is_none) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].taken.exchange(true)) {
      return i;
    }
  }
  throw io_error(if_there_is_none);
}

void await(const awaited_slot& slot) {
  ::shutdown(slot.line, SHUT_WR);
  int status = 0;
  if (retry([&] { return ::waitpid(slot.child, &status, 0); }) == slot.child && status != 0 &&
      slot.if_it_fails[0] != '\0') {
    say(slot.if_it_fails);
  }
}

// Only calls that are safe in a handler.
void clean_up_and_end(int number) {
  for (const doomed_slot& slot : slots) {
    if (slot.valid.load(std::memory_order_acquire)) {
      ::unlinkat(slot.folder, slot.name, 0);
    }
  }
  for (const awaited_slot& slot : awaited) {
    if (slot.valid.load(std::memory_order_acquire)) {
      await(slot);
    }
  }
  // It is blocked here, and ends the process on return.
  ::signal(number, SIG_DFL);
  ::raise(number);
}

bool is_closed(int fd) {
  return ::fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

}  // namespace

void prepare_process() {
  fill_standard_streams();
  take_care_of_signals();
}

void fill_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (!is_closed(fd)) {
      continue;
    }
    // Those below are open, so it gets this very number.
    int opened = ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (opened < 0) {
      opened = ::open("/", O_PATH);
    }
    if (opened != fd) {
      ::_exit(1);
    }
  }
}

void take_care_of_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);
  struct sigaction action {};
  action.sa_handler = clean_up_and_end;
  ::sigemptyset(&action.sa_mask);
  for (const int number : ending_signals) {
    ::sigaddset(&action.sa_mask, number);
  }
  for (const int number : ending_signals) {
    struct sigaction before {};
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) {
      ::sigaction(number, &action, nullptr);
    }
  }
}

doomed_file::doomed_file(int folder, const char* name)
    : slot_(take_free(slots, "too many temporary files at a time")) {
  doomed_slot& slot = slots[slot_];
  slot.folder = folder;
  std::strncpy(slot.name, name, longest_name);
  slot.valid.store(true, std::memory_order_release);
}

doomed_file::~doomed_file() {
  slots[slot_].give_back();
}

awaited_child::awaited_child(pid_t child, int line, const char* if_it_fails)
    : slot_(take_free(awaited, "too many children at a time")) {
  awaited_slot& slot = awaited[slot_];
  slot.child = child;
  slot.line = line;
  slot.if_it_fails = if_it_fails;
  slot.valid.store(true, std::memory_order_release);
}

awaited_child::~awaited_child() {
  awaited[slot_].give_back();
}

held_back_signals::held_back_signals(signals which) {
  sigset_t set{};
  if (which == signals::all) {
    ::sigfillset(&set);
  } else {
    ::sigemptyset(&set);
    for (const int number : ending_signals) {
      ::sigaddset(&set, number);
    }
  }
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

held_back_signals::~held_back_signals() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace base
