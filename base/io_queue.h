// Reads and writes of open files and devices, many of them under way at a time (libaio).
//
// Requests are done in any order. Where the system has no queue to give, or the file none to offer,
// they are done one by one by who asks for them, with the same results. Not thread safe.
#pragma once

#include <libaio.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/file_handle.h"

namespace base {

// From add() until it is done, request, parts and memory must stay.
struct io_request {
  bool writes = false;
  int fd = -1;
  std::uint64_t offset = 0;      // bytes
  const iovec* parts = nullptr;  // memory to fill or to write
  int nr_parts = 0;
  long result = 0;  // once it is done: bytes moved, which may be too few, or minus an errno

  void* owner = nullptr;  // the caller's, to know it by
  iocb control = {};      // the queue's
};

class io_queue {
 public:
  enum class polling { none, by_event_fd };

  // At most `depth` requests are under way. Giving a queue back takes the kernel tens of
  // milliseconds. `name` is for messages. Throws io_error if an event_fd() is wanted and refused.
  io_queue(int depth, std::string name, polling how = polling::none);

  // Waits for what is under way.
  ~io_queue();
  io_queue(const io_queue&) = delete;
  io_queue& operator=(const io_queue&) = delete;

  // It begins with the next call of one of the others.
  void add(io_request& wanted) { waiting_.push_back(&wanted); }

  // Begins as many as there is room for, and appends those that are done by now. This and wait()
  // throw io_error where the queue fails as a whole; then nothing is under way any more.
  void collect(std::vector<io_request*>& done);

  // The same, and waits until at least one is done; at once if none is under way.
  void wait(std::vector<io_request*>& done);

  // Neither waiting nor under way.
  bool is_idle() const { return waiting_.empty() && in_flight_ == 0 && done_.empty(); }

  // Readable when requests may be done; reading it is collect()'s. -1 where there is none.
  int event_fd() const { return event_.fd(); }

  // Does one at once.
  static void run(io_request& wanted);

 private:
  void submit();
  void hand_over(std::vector<io_request*>& done);
  void run_first();
  void reap(long at_least);

  int depth_;
  std::string name_;
  io_context_t context_ = nullptr;  // null: the system has none to give
  file_handle event_;
  std::deque<io_request*> waiting_;
  int in_flight_ = 0;
  std::vector<io_request*> done_;
  std::vector<iocb*> batch_;
  std::vector<io_event> events_;
};

}  // namespace base
