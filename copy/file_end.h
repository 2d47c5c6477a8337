// A regular file or block device as an end of a copy.
//
// Requests go past the page cache (O_DIRECT) where the file system allows that, many at a time
// (base/io_queue.h). The first one that is not aligned for that, as the end of a file may be, waits
// until nothing is under way, and from then on all of them go by way of the page cache: a file is
// never written both ways at once. The kernel can't keep the two in step (the cache may hold 2 MiB
// as one piece), and says so by EIO from fsync(). Not thread safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_handle.h"
#include "base/io_queue.h"
#include "copy/endpoint.h"

namespace copy {

class file_end final : public endpoint {
 public:
  // `file` was opened by base::open_storage(), for reading or for both. Throws base::io_error.
  file_end(base::file_handle file, std::string name);
  ~file_end() override;

  int fd() const { return file_.fd(); }
  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return size_; }
  void grow_to(std::uint64_t bytes) override;  // a regular file
  void start(request& wanted) override;
  void collect(std::vector<request*>& done) override;
  pollfd waits_for() override { return {queue_->event_fd(), POLLIN, 0}; }
  void abandon() noexcept override;
  void flush() override;

 private:
  struct flight;

  // A request, or what of it follows the bytes that are done.
  struct rest {
    request* of = nullptr;
    std::size_t done = 0;
  };

  void launch(request& wanted, std::size_t done);
  bool is_aligned(const request& wanted, std::size_t done) const;
  std::size_t direct_size(const request& wanted, std::size_t done) const;
  flight& take_flight();
  void collect_ended();
  void complete(flight& ended);
  void leave_direct();
  int make_zero(const request& wanted);

  base::file_handle file_;
  std::string name_;
  std::uint64_t size_ = 0;
  std::uint64_t alignment_ = 1;  // bytes, of requests; 1 once they are not direct
  bool can_zero_ = true;         // as far as is known
  std::unique_ptr<base::io_queue> queue_;
  std::vector<std::unique_ptr<flight>> flights_;
  std::vector<flight*> free_;
  std::vector<base::io_request*> ended_;
  std::vector<rest> not_direct_;  // wait until nothing is under way
};

}  // namespace copy
