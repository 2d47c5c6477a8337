// A block device on a regular file or a block device of the system, by libaio.
//
// Reads and writes go past the page cache (O_DIRECT) where the file system allows it: a live
// device's metadata is written beneath the page cache, so only direct reads see it. A regular file
// is one with its page cache; what is there is taken from there. A batch is sorted, neighbours are
// merged into large requests, and where that pays many are kept in flight. Not thread safe.
#pragma once

#include <libaio.h>

#include <string>
#include <vector>

#include "base/cache_credit.h"
#include "base/file_handle.h"
#include "persistent-data/block_device.h"

namespace pd {

class file_device final : public block_device {
 public:
  enum class sharing {
    exclusive,  // a block device that is mounted or mapped is refused (O_EXCL)
    shared      // a block device may be live
  };

  static constexpr const char* busy_advice =
      "It is mounted or mapped: deactivate what uses it first.";

  // Opens for reading only. Throws base::io_error if `path` does not exist, is not a regular file
  // or block device, or is in use; `if_busy` is what to do then.
  static file_device open_for_reading(const std::string& path, sharing how,
                                      const std::string& if_busy = busy_advice);

  // Opens for reading and writing, exclusively. The same errors.
  static file_device open_for_writing(const std::string& path);

  file_device(file_device&& other) noexcept;
  file_device& operator=(file_device&&) = delete;
  ~file_device() override;

  block_nr nr_blocks() const override { return size_in_bytes_ / block_size; }
  std::uint64_t size_in_bytes() const { return size_in_bytes_; }
  const std::string& name() const override { return name_; }
  void read(std::span<read_request> batch) override;
  void write(std::span<const write_request> batch) override;
  void flush() override;

  // The first bytes of the file, fewer where it ends before; for files that hold no whole block.
  std::string first_bytes(std::size_t count);

 private:
  struct transfer;
  struct plan;

  file_device(std::string path, int flags, const std::string& if_busy);

  void open_cached(int flags);
  bool read_cached(const plan& all, transfer& one);
  void read_singly(std::span<read_request* const> requests);
  bool has_aio();
  void run(plan& all, bool writing);
  void run_sync(const plan& all, std::span<transfer* const> transfers, bool writing);
  void run_async(const plan& all, std::span<transfer* const> transfers, bool writing);

  std::string name_;
  base::file_handle file_;
  base::file_handle
      cached_;  // a regular file by way of the page cache; closed if that pays no more
  base::cache_credit cache_credit_;
  std::size_t transfers_so_far_ = 0;  // that went to the disk
  block_buffer gap_{1};               // takes what was not asked for
  std::uint64_t size_in_bytes_ = 0;
  io_context_t aio_ = nullptr;  // null: not needed so far
  bool aio_refused_ = false;    // this system has no aio to give; requests go one by one
};

}  // namespace pd
