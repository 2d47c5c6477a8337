// One end of a copy: what bytes are read from, or written to. Implementations are on a file or
// block device (file_end.h), an NBD server (nbd_end.h) and a delta stream (delta.h).
//
// Requests are started and are done some time later, in any order, so that many can be under way.
// Between the two, the request and its memory belong to the endpoint. Nothing is retried: what is
// done without an error was done whole. What is not pure here is right for an endpoint that has
// done all when start() returns. Not thread safe: one thread uses an endpoint.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace copy {

struct request {
  enum class kind {
    read,
    write,
    zero  // the bytes read as zeros afterwards; as a hole where that can be had
  };

  kind what = kind::read;
  std::uint64_t offset = 0;     // bytes
  std::size_t size = 0;         // bytes, at least 1; offset + size is within size() of the endpoint
  std::byte* memory = nullptr;  // none for zero
  std::size_t room = 0;   // bytes of the memory, at least size; a read may fill more than size
  int error = 0;          // once it is done: 0, or an errno
  void* owner = nullptr;  // the caller's, to know it by
};

class endpoint {
 public:
  virtual ~endpoint() = default;

  // For messages.
  virtual const std::string& name() const = 0;

  // Bytes.
  virtual std::uint64_t size() const = 0;

  // Makes it so many bytes long, if it is shorter and of a kind that can grow. Throws
  // base::io_error if it is not.
  virtual void grow_to(std::uint64_t bytes);

  // Starts a request, which must stay until it is done. Throws base::error where the endpoint as a
  // whole has failed (a server that has gone); what fails of this request alone is its error.
  virtual void start(request& wanted) = 0;

  // Appends the requests that are done. Does not wait. Throws as start() does.
  virtual void collect(std::vector<request*>& done);

  // What to wait for while requests are under way; collect() is called after. An `fd` of -1: never
  // a need to wait, all is done when start() returns.
  virtual pollfd waits_for() { return {-1, 0, 0}; }

  // Nothing is under way any more when it returns, whether it was done or not, and no memory of a
  // request is touched after. Maybe the endpoint is of no use after that.
  virtual void abandon() noexcept { done_.clear(); }

  // All that was written is on stable storage when it returns, as far as the endpoint has any.
  // Throws base::error.
  virtual void flush() {}

  // Whether requests are to be started in the order of the extents, as a stream needs it.
  virtual bool is_stream() const { return false; }

 protected:
  // For start() and the like: collect() appends it.
  void note_done(request& ended) { done_.push_back(&ended); }

  std::vector<request*> done_;
};

}  // namespace copy
