#include "persistent-data/file_device.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"

namespace pd {
namespace {

constexpr int queue_depth = 64;
constexpr std::size_t max_blocks_in_a_request = 256;
constexpr std::size_t few_transfers = 16;

const char* const busy_for_reading =
    "Deactivate the device that uses it, or, on a live era device, take a metadata snapshot\n"
    "(dmsetup message DEVICE 0 take_metadata_snap) and use --metadata-snapshot.";

const char* const busy_for_writing = "It is mounted or mapped: deactivate what uses it first.";

base::file_handle open_checked(const std::string& path, int flags) {
  const struct stat info = base::stat_path(path);
  if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
    throw base::io_error(path + ": Not a block device or regular file");
  }
  if (!S_ISBLK(info.st_mode)) {
    flags &= ~O_EXCL;  // means something for regular files only together with O_CREAT
  }
  int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_DIRECT);
  if (fd < 0 && errno == EINVAL) {
    fd = ::open(path.c_str(), flags | O_CLOEXEC);
  }
  if (fd < 0) {
    const bool writing = (flags & O_ACCMODE) != O_RDONLY;
    const char* const if_busy = writing ? busy_for_writing : busy_for_reading;
    throw base::io_error(base::system_message(path, errno, errno == EBUSY ? if_busy : ""));
  }
  return base::file_handle(fd);
}

}  // namespace

// Neighbouring blocks that move in one request.
struct file_device::transfer {
  block_nr first = 0;
  std::vector<iovec> parts;  // one a block
  std::vector<read_request*> readers;
  std::size_t bytes() const { return parts.size() * block_size; }
  long result = 0;  // bytes moved, or minus an errno
};

// Blocks come in ascending order: the last transfer if this one goes on where it ends, or a new
// one.
file_device::transfer& file_device::transfer_for(block_nr where, std::vector<transfer>& transfers) {
  if (!transfers.empty()) {
    transfer& last = transfers.back();
    if (last.first + last.parts.size() == where && last.parts.size() < max_blocks_in_a_request) {
      return last;
    }
  }
  transfers.emplace_back().first = where;
  return transfers.back();
}

file_device::file_device(std::string path, int flags)
    : name_(std::move(path)), file_(open_checked(name_, flags)) {
  size_in_bytes_ = base::size_in_bytes(file_.fd(), name_);
}

file_device::file_device(file_device&& other) noexcept
    : name_(std::move(other.name_)),
      file_(std::move(other.file_)),
      size_in_bytes_(other.size_in_bytes_),
      aio_(std::exchange(other.aio_, nullptr)),
      aio_refused_(other.aio_refused_) {}

file_device::~file_device() {
  if (aio_ != nullptr) {
    ::io_destroy(aio_);
  }
}

file_device file_device::open_for_reading(const std::string& path, sharing how) {
  return file_device(path, O_RDONLY | (how == sharing::exclusive ? O_EXCL : 0));
}

file_device file_device::open_for_writing(const std::string& path) {
  return file_device(path, O_RDWR | O_EXCL);
}

std::string file_device::first_bytes(std::size_t count) {
  // Direct reads want whole aligned blocks, of which a small file has none.
  base::file_handle plain(::open(name_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!plain.is_open()) {
    throw base::io_error(base::system_message(name_, errno));
  }
  std::string bytes(count, '\0');
  bytes.resize(base::read_up_to(plain.fd(), bytes.data(), count, name_));
  return bytes;
}

void file_device::read(std::span<read_request> batch) {
  std::vector<read_request*> order;
  order.reserve(batch.size());
  for (read_request& request : batch) {
    request.error = 0;
    order.push_back(&request);
  }
  std::sort(order.begin(), order.end(),
            [](const read_request* a, const read_request* b) { return a->where < b->where; });
  std::vector<transfer> transfers;
  for (read_request* request : order) {
    transfer& joined = transfer_for(request->where, transfers);
    joined.parts.push_back({request->into, block_size});
    joined.readers.push_back(request);
  }
  run(transfers, false);

  // A bad sector fails the whole request that it is in: ask for each block alone.
  std::vector<transfer> singles;
  for (const transfer& moved : transfers) {
    if (moved.result == static_cast<long>(moved.bytes())) {
      continue;
    }
    for (std::size_t i = 0; i < moved.parts.size(); ++i) {
      transfer& single = singles.emplace_back();
      single.first = moved.first + i;
      single.parts.push_back(moved.parts[i]);
      single.readers.push_back(moved.readers[i]);
    }
  }
  run(singles, false);
  for (const transfer& single : singles) {
    if (single.result != static_cast<long>(block_size)) {
      single.readers.front()->error = single.result < 0 ? static_cast<int>(-single.result) : EIO;
    }
  }
}

void file_device::write(std::span<const write_request> batch) {
  std::vector<const write_request*> order;
  order.reserve(batch.size());
  for (const write_request& request : batch) {
    order.push_back(&request);
  }
  std::sort(order.begin(), order.end(),
            [](const write_request* a, const write_request* b) { return a->where < b->where; });
  std::vector<transfer> transfers;
  for (const write_request* request : order) {
    transfer_for(request->where, transfers)
        .parts.push_back({const_cast<std::byte*>(request->from), block_size});
  }
  run(transfers, true);
  for (const transfer& moved : transfers) {
    if (moved.result != static_cast<long>(moved.bytes())) {
      const int error = moved.result < 0 ? static_cast<int>(-moved.result) : ENOSPC;
      throw base::io_error(base::system_message(name_, error));
    }
  }
}

void file_device::flush() {
  if (::fdatasync(file_.fd()) != 0) {
    throw base::io_error(base::system_message(name_, errno));
  }
}

void file_device::run(std::vector<transfer>& transfers, bool writing) {
  if (transfers.empty()) {
    return;
  }
  if (transfers.size() > few_transfers && has_aio()) {
    run_async(transfers, writing);
  } else {
    run_sync(transfers, writing);
  }
}

// Giving an aio context back takes the kernel tens of milliseconds, so one is taken only where
// there is something to gain.
bool file_device::has_aio() {
  if (aio_ == nullptr && !aio_refused_ && ::io_setup(queue_depth, &aio_) != 0) {
    aio_ = nullptr;
    aio_refused_ = true;
  }
  return aio_ != nullptr;
}

void file_device::run_sync(std::vector<transfer>& transfers, bool writing) {
  for (transfer& one : transfers) {
    const auto offset = static_cast<off_t>(one.first * block_size);
    const int count = static_cast<int>(one.parts.size());
    do {
      one.result = writing ? ::pwritev(file_.fd(), one.parts.data(), count, offset)
                           : ::preadv(file_.fd(), one.parts.data(), count, offset);
    } while (one.result < 0 && errno == EINTR);
    if (one.result < 0) {
      one.result = -errno;
    }
  }
}

void file_device::run_async(std::vector<transfer>& transfers, bool writing) {
  std::vector<iocb> controls(transfers.size());
  std::vector<iocb*> pointers(transfers.size());
  for (std::size_t i = 0; i < transfers.size(); ++i) {
    transfer& one = transfers[i];
    const auto offset = static_cast<long long>(one.first * block_size);
    const int count = static_cast<int>(one.parts.size());
    if (writing) {
      ::io_prep_pwritev(&controls[i], file_.fd(), one.parts.data(), count, offset);
    } else {
      ::io_prep_preadv(&controls[i], file_.fd(), one.parts.data(), count, offset);
    }
    controls[i].data = &one;
    pointers[i] = &controls[i];
  }
  std::size_t submitted = 0;
  std::size_t done = 0;
  int refusal = 0;  // once the system refuses to take requests, only those in flight are awaited
  io_event events[queue_depth];
  while (done < submitted || (submitted < transfers.size() && refusal == 0)) {
    const std::size_t in_flight = submitted - done;
    const std::size_t more = std::min(transfers.size() - submitted, queue_depth - in_flight);
    if (more > 0 && refusal == 0) {
      const int taken = ::io_submit(aio_, static_cast<long>(more), pointers.data() + submitted);
      if (taken > 0) {
        submitted += static_cast<std::size_t>(taken);
      } else if (in_flight == 0 && taken != -EINTR) {
        refusal = taken == 0 ? -EAGAIN : taken;
      }
    }
    if (submitted == done) {
      continue;
    }
    const int got = ::io_getevents(aio_, 1, queue_depth, events, nullptr);
    for (int i = 0; i < got; ++i) {
      static_cast<transfer*>(events[i].data)->result = static_cast<long>(events[i].res);
      ++done;
    }
    if (got < 0 && got != -EINTR) {
      // The buffers belong to requests in flight; io_destroy waits for those.
      ::io_destroy(std::exchange(aio_, nullptr));
      throw base::io_error(base::system_message(name_, -got));
    }
  }
  for (std::size_t i = submitted; i < transfers.size(); ++i) {
    transfers[i].result = refusal;
  }
}

}  // namespace pd
