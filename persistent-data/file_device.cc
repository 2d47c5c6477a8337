#include "persistent-data/file_device.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/content.h"
#include "base/error.h"
#include "base/in_use.h"

namespace pd {
namespace {

constexpr int queue_depth = 64;
constexpr std::size_t max_blocks_in_a_request = 2048;
constexpr std::size_t max_parts = IOV_MAX;

// Giving an aio context back takes the kernel tens of milliseconds; from so many transfers on, a
// device that does several at a time makes up for it.
constexpr std::size_t transfers_worth_a_queue = 512;
constexpr std::size_t few_transfers = 4;

// To read so many blocks that were not asked for costs less than another request.
constexpr block_nr widest_gap = 4;

}  // namespace

// Blocks that move in one request.
struct file_device::transfer {
  block_nr first = 0;
  std::size_t nr_blocks = 0;
  std::size_t first_part = 0;
  std::size_t nr_parts = 0;
  std::size_t first_request = 0;
  std::size_t nr_requests = 0;
  long result = 0;  // bytes moved, or minus an errno

  bool is_done() const { return result == static_cast<long>(nr_blocks * block_size); }
};

// The transfers of a batch, and the memory that they fill or empty.
struct file_device::plan {
  std::vector<transfer> transfers;
  std::vector<iovec> parts;

  // Takes blocks in ascending order. Where there is a `gap`, small ones are read into it.
  void add(block_nr where, std::byte* memory, std::byte* gap) {
    if (!joins_last(where, gap != nullptr ? widest_gap : 0)) {
      transfer& added = transfers.emplace_back();
      added.first = where;
      added.first_part = parts.size();
      added.first_request = nr_requests;
    }
    transfer& last = transfers.back();
    while (last.first + last.nr_blocks < where) {
      add_part(last, gap);
    }
    add_part(last, memory);
    ++last.nr_requests;
    ++nr_requests;
  }

  const iovec* parts_of(const transfer& one) const { return parts.data() + one.first_part; }

 private:
  bool joins_last(block_nr where, block_nr most_between) const {
    if (transfers.empty()) {
      return false;
    }
    const transfer& last = transfers.back();
    const block_nr end = last.first + last.nr_blocks;
    return where >= end && where - end <= most_between &&
           where + 1 - last.first <= max_blocks_in_a_request &&
           last.nr_parts + (where - end) + 1 <= max_parts;
  }

  void add_part(transfer& to, std::byte* memory) {
    ++to.nr_blocks;
    if (to.nr_parts > 0) {
      iovec& last = parts.back();
      if (static_cast<std::byte*>(last.iov_base) + last.iov_len == memory) {
        last.iov_len += block_size;
        return;
      }
    }
    parts.push_back({memory, block_size});
    ++to.nr_parts;
  }

  std::size_t nr_requests = 0;
};

file_device::file_device(std::string path, const base::storage_opening& how)
    : name_(std::move(path)), file_(base::open_storage(name_, how)) {
  hold(how);
  size_in_bytes_ = base::size_in_bytes(file_.fd(), name_);
}

void file_device::hold(const base::storage_opening& how) {
  const struct stat info = base::stat_of(file_.fd(), name_);
  const bool is_regular = S_ISREG(info.st_mode);
  const bool writes = (how.flags & O_ACCMODE) != O_RDONLY;
  if (writes && is_regular) {
    base::refuse_attached(info, name_);
  }
  if (is_regular && (how.flags & O_EXCL) != 0) {
    base::lock_file(file_.fd(), writes ? base::lock::for_writing : base::lock::for_reading, name_);
  }
  if (!writes) {
    watch(how, is_regular);
  }
}

// A live device changes all the time; its reader is told otherwise what to make of that.
void file_device::watch(const base::storage_opening& how, bool is_regular) {
  const bool exclusive = (how.flags & O_EXCL) != 0;
  if (is_regular || exclusive) {
    watch_ = base::change_watch(file_.fd(), name_);
  }
  if (is_regular) {
    cached_ = base::reopen_cached(file_.fd());
  }
  if (exclusive) {
    first_before_ = first_bytes();
  }
}

file_device::file_device(file_device&& other) noexcept
    : name_(std::move(other.name_)),
      file_(std::move(other.file_)),
      cached_(std::move(other.cached_)),
      cache_credit_(other.cache_credit_),
      transfers_so_far_(other.transfers_so_far_),
      gap_(std::move(other.gap_)),
      size_in_bytes_(other.size_in_bytes_),
      watch_(std::move(other.watch_)),
      first_before_(std::move(other.first_before_)),
      aio_(std::exchange(other.aio_, nullptr)),
      aio_refused_(other.aio_refused_) {}

file_device::~file_device() {
  if (aio_ != nullptr) {
    ::io_destroy(aio_);
  }
}

file_device file_device::open_for_reading(const std::string& path, sharing how,
                                          const std::string& if_busy) {
  return file_device(path, {O_RDONLY | (how == sharing::exclusive ? O_EXCL : 0), if_busy, ""});
}

file_device file_device::open_for_writing(const std::string& path, const std::string& if_missing) {
  return file_device(path, {O_RDWR | O_EXCL, busy_advice, if_missing});
}

std::string file_device::content() {
  return base::content_of(file_.fd());
}

void file_device::require_unchanged() {
  const bool rewritten = !first_before_.empty() && first_bytes() != first_before_;
  if (rewritten || watch_.has_changed()) {
    throw base::data_error(name_ +
                           ": was changed while it was read; the result is not valid\n"
                           "Wait until nothing writes to it any more, and start again.");
  }
}

bool file_device::is_same_file(int fd) const {
  const struct stat ours = base::stat_of(file_.fd(), name_);
  struct stat other {};
  if (::fstat(fd, &other) != 0) {
    return false;
  }
  return base::is_same_file(ours, other);
}

std::string file_device::first_bytes() {
  // A request of a whole block into aligned memory, as direct reads want it; a small file answers
  // it with what it has.
  block_buffer block(1);
  ssize_t got = 0;
  do {
    got = ::pread(file_.fd(), block.block(0), block_size, 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    throw base::io_error(base::system_message(name_, errno));
  }
  return {reinterpret_cast<const char*>(block.block(0)), static_cast<std::size_t>(got)};
}

void file_device::read(std::span<read_request> batch) {
  std::vector<read_request*> order;
  order.reserve(batch.size());
  for (read_request& request : batch) {
    request.error = 0;
    order.push_back(&request);
  }
  const auto on_disk = [](const read_request* a, const read_request* b) {
    return a->where < b->where;
  };
  if (!std::is_sorted(order.begin(), order.end(), on_disk)) {
    std::sort(order.begin(), order.end(), on_disk);
  }
  plan all;
  for (read_request* request : order) {
    all.add(request->where, request->into, gap_.block(0));
  }
  run(all, false);
  for (const transfer& moved : all.transfers) {
    if (!moved.is_done()) {
      read_singly(std::span(order).subspan(moved.first_request, moved.nr_requests));
    }
  }
}

// A bad sector fails the whole transfer that it is in: ask for each block alone.
void file_device::read_singly(std::span<read_request* const> requests) {
  for (read_request* request : requests) {
    plan single;
    single.add(request->where, request->into, nullptr);
    run(single, false);
    const long result = single.transfers.front().result;
    if (result != static_cast<long>(block_size)) {
      request->error = result < 0 ? static_cast<int>(-result) : EIO;
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
  plan all;
  for (const write_request* request : order) {
    all.add(request->where, const_cast<std::byte*>(request->from), nullptr);
  }
  run(all, true);
  for (const transfer& moved : all.transfers) {
    if (!moved.is_done()) {
      write_rest(all, moved);
    }
  }
}

// The system says why a request was cut short only when it is asked for the rest.
void file_device::write_rest(const plan& all, const transfer& begun) {
  if (begun.result < 0) {
    throw base::io_error(base::system_message(name_, static_cast<int>(-begun.result)));
  }
  const auto where = static_cast<off_t>(begun.first * block_size);
  off_t skip = begun.result;  // written already
  off_t part_begin = 0;
  for (std::size_t i = 0; i < begun.nr_parts; ++i) {
    const iovec& part = all.parts_of(begun)[i];
    const off_t part_end = part_begin + static_cast<off_t>(part.iov_len);
    while (skip < part_end) {
      const char* const from = static_cast<const char*>(part.iov_base) + (skip - part_begin);
      const ssize_t more =
          ::pwrite(file_.fd(), from, static_cast<std::size_t>(part_end - skip), where + skip);
      if (more <= 0 && !(more < 0 && errno == EINTR)) {
        throw base::io_error(base::system_message(name_, more < 0 ? errno : ENOSPC));
      }
      skip += std::max<ssize_t>(more, 0);
    }
    part_begin = part_end;
  }
}

void file_device::flush() {
  int result = 0;
  do {
    result = ::fdatasync(file_.fd());
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    throw base::io_error(base::system_message(
        name_, errno,
        "It can't be flushed: what was written last may be there or not, so trust none of it."));
  }
}

void file_device::run(plan& all, bool writing) {
  std::vector<transfer*> rest;
  for (transfer& one : all.transfers) {
    if (writing || !read_cached(all, one)) {
      rest.push_back(&one);
    }
  }
  transfers_so_far_ += rest.size();
  const bool queue = rest.size() > few_transfers && transfers_so_far_ > transfers_worth_a_queue;
  if (queue && has_aio()) {
    run_async(all, rest, writing);
  } else {
    run_sync(all, rest, writing);
  }
}

bool file_device::has_aio() {
  if (aio_ == nullptr && !aio_refused_ && ::io_setup(queue_depth, &aio_) != 0) {
    aio_ = nullptr;
    aio_refused_ = true;
  }
  return aio_ != nullptr;
}

// False where the page cache does not have all of it.
bool file_device::read_cached(const plan& all, transfer& one) {
  if (!cached_.is_open()) {
    return false;
  }
  one.result = ::preadv2(cached_.fd(), all.parts_of(one), static_cast<int>(one.nr_parts),
                         static_cast<off_t>(one.first * block_size), RWF_NOWAIT);
  if (one.is_done()) {
    cache_credit_.hit();
    return true;
  }
  cache_credit_.miss();
  if (!cache_credit_.is_left()) {
    cached_ = base::file_handle();
  }
  return false;
}

void file_device::run_sync(const plan& all, std::span<transfer* const> transfers, bool writing) {
  for (transfer* one : transfers) {
    const auto offset = static_cast<off_t>(one->first * block_size);
    const int count = static_cast<int>(one->nr_parts);
    do {
      one->result = writing ? ::pwritev(file_.fd(), all.parts_of(*one), count, offset)
                            : ::preadv(file_.fd(), all.parts_of(*one), count, offset);
    } while (one->result < 0 && errno == EINTR);
    if (one->result < 0) {
      one->result = -errno;
    }
  }
}

void file_device::run_async(const plan& all, std::span<transfer* const> transfers, bool writing) {
  std::vector<iocb> controls(transfers.size());
  std::vector<iocb*> pointers(transfers.size());
  for (std::size_t i = 0; i < transfers.size(); ++i) {
    transfer* const one = transfers[i];
    const auto offset = static_cast<off_t>(one->first * block_size);
    const int count = static_cast<int>(one->nr_parts);
    if (writing) {
      ::io_prep_pwritev(&controls[i], file_.fd(), all.parts_of(*one), count, offset);
    } else {
      ::io_prep_preadv(&controls[i], file_.fd(), all.parts_of(*one), count, offset);
    }
    controls[i].data = one;
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
    transfers[i]->result = refusal;
  }
}

}  // namespace pd
