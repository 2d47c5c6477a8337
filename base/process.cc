#include "base/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"

namespace base {
namespace {

// What a handler may look at: memory that is always there, and atomics without a lock.
struct doomed_slot {
  std::atomic<bool> taken = false;
  std::atomic<bool> valid = false;  // folder and name
  int folder = -1;
  char name[doomed_file::longest_name + 1] = {};
};
static_assert(std::atomic<bool>::is_always_lock_free);

constinit std::array<doomed_slot, 16> slots;

constexpr int ending_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// Only calls that are safe in a handler.
void remove_and_end(int number) {
  for (const doomed_slot& slot : slots) {
    if (slot.valid.load(std::memory_order_acquire)) {
      ::unlinkat(slot.folder, slot.name, 0);
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
  struct sigaction action {};
  action.sa_handler = remove_and_end;
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

doomed_file::doomed_file(int folder, const char* name) {
  for (slot_ = 0; slot_ < slots.size(); ++slot_) {
    doomed_slot& slot = slots[slot_];
    if (!slot.taken.exchange(true)) {
      slot.folder = folder;
      std::strncpy(slot.name, name, longest_name);
      slot.valid.store(true, std::memory_order_release);
      return;
    }
  }
  throw io_error("too many temporary files at a time");
}

doomed_file::~doomed_file() {
  slots[slot_].valid.store(false, std::memory_order_release);
  slots[slot_].taken.store(false);
}

}  // namespace base
