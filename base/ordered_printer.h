// Has several threads make pieces of a long text and prints them in their order. One thread at a
// time may use a printer; the makers run on threads of its own, as many as there are processors and
// at most eight. Memory is one piece for each thread, and what the waiting makers hold.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/output.h"
#include "base/text.h"

namespace base {

// Appends one piece to an empty text.
using text_maker = std::function<void(text&)>;

class ordered_printer {
 public:
  // `threads` 0: as many as there are processors. Where none can be had, put() makes pieces itself.
  explicit ordered_printer(output& out, unsigned threads = 0);

  // Pieces that were not printed yet are dropped.
  ~ordered_printer();
  ordered_printer(const ordered_printer&) = delete;
  ordered_printer& operator=(const ordered_printer&) = delete;

  // The next piece. Waits while enough pieces wait. Throws what a maker before it or the output
  // threw; all pieces before that one have gone to the output.
  void put(text_maker make);

  // Has each piece that was printed handed over too, in order. Before the first put().
  void also(std::function<void(std::string_view)> hear) { hear_ = std::move(hear); }

  // Waits until all is printed, and throws as put() does. Nothing may follow.
  void finish();

 private:
  struct numbered {
    std::uint64_t number;
    text_maker make;
  };

  void work();
  void make_and_print(const numbered& piece, text& room);
  void print(std::uint64_t number, const text& piece, std::exception_ptr failure);
  void throw_failure() const;
  void wake_all();

  output& out_;
  std::function<void(std::string_view)> hear_;
  std::mutex mutex_;
  std::condition_variable has_room_;     // for put() and finish()
  std::condition_variable has_pieces_;   // for threads with nothing to do
  std::condition_variable turn_passed_;  // for threads that have a piece to print
  std::deque<numbered> waiting_;
  std::uint64_t given_ = 0;    // pieces
  std::uint64_t printed_ = 0;  // of them, in order; one that failed counts
  bool ended_ = false;         // no piece will come
  std::exception_ptr failure_;
  text own_;  // for pieces made by put()
  std::vector<std::thread> threads_;
};

}  // namespace base
