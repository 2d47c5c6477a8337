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
#include "persistent-data/packed_blocks.h"

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
  base::io_request io;

  bool is_done() const { return io.result == static_cast<long>(nr_blocks * block_size); }
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

file_device::file_device(std::string path, base::file_handle file)
    : name_(std::move(path)),
      file_(std::move(file)),
      size_in_bytes_(base::size_in_bytes(file_.fd(), name_)) {}

file_device::file_device(const std::string& path, const base::storage_opening& how)
    : file_device(path, base::open_storage(path, how)) {
  base::hold_storage(file_.fd(), how, name_);
  if ((how.flags & O_ACCMODE) == O_RDONLY) {
    watch(how);
  }
}

// A live device changes all the time; its reader is told otherwise what to make of that.
void file_device::watch(const base::storage_opening& how) {
  const bool is_regular = S_ISREG(base::stat_of(file_.fd(), name_).st_mode);
  const bool exclusive = (how.flags & O_EXCL) != 0;
  if (is_regular || exclusive) {
    watch_ = base::change_watch(file_.fd(), name_);
  }
  if (is_regular) {
    cached_ = base::reopen_cached(file_.fd());
  }
  if (exclusive) {
    // A bad block 0 is damage like any other, for the readers to judge.
    first_before_ = first_bytes_if_readable().value_or("");
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
      unreadable_(std::move(other.unreadable_)),
      watch_(std::move(other.watch_)),
      first_before_(std::move(other.first_before_)),
      queue_(std::move(other.queue_)) {}

file_device file_device::open_for_reading(const std::string& path, sharing how,
                                          const std::string& if_busy) {
  return file_device(path, {O_RDONLY | (how == sharing::exclusive ? O_EXCL : 0), if_busy, ""});
}

file_device file_device::open_for_writing(const std::string& path, const std::string& if_missing) {
  return file_device(path, {O_RDWR | O_EXCL, base::busy_advice, if_missing});
}

file_device file_device::reopen_for_reading() const {
  const int direct = ::fcntl(file_.fd(), F_GETFL) & O_DIRECT;
  base::file_handle again = base::reopen(file_.fd(), O_RDONLY | direct);
  if (!again.is_open()) {
    throw base::io_error(base::system_message(name_, errno));
  }
  return {name_, std::move(again)};
}

file_device file_device::open_perhaps_packed(const std::string& path, sharing how,
                                             const std::string& if_busy) {
  file_device device = open_for_reading(path, how, if_busy);
  if (device.first_bytes_if_readable().value_or("").starts_with(pack_mark)) {
    device.unpack();
  }
  return device;
}

// From then on this is the temporary file with the blocks.
void file_device::unpack() {
  const base::cached_reads unaligned(file_.fd());
  unpacked_blocks found = unpack_blocks(file_.fd(), name_);
  require_unchanged();
  watch_ = {};
  first_before_.reset();
  cached_ = {};
  size_in_bytes_ = found.nr_blocks * block_size;
  unreadable_ = std::move(found.unreadable);
  file_ = std::move(found.file);
}

std::string file_device::content() {
  return base::content_of(file_.fd());
}

void file_device::require_unchanged() {
  if (has_other_first_bytes() || watch_.has_changed()) {
    throw base::data_error(name_ +
                           ": was changed while it was read; the result is not valid\n"
                           "Wait until nothing writes to it any more, and start again.");
  }
}

// A bad block becomes readable when it is written to.
bool file_device::has_other_first_bytes() {
  if (!first_before_) {
    return false;
  }
  const bool was_readable = !first_before_->empty();
  return (was_readable ? first_bytes() : first_bytes_if_readable().value_or("")) != *first_before_;
}

std::optional<std::string> file_device::first_bytes_if_readable() {
  try {
    return first_bytes();
  } catch (const base::io_error&) {
    return std::nullopt;
  }
}

std::string file_device::first_bytes() {
  // A request of a whole block into aligned memory, as direct reads want it; a small file answers
  // it with what it has.
  block_buffer block(1);
  ssize_t got = 0;
  do {
    got = ::pread(file_.fd(), block.block(0), block_size, 0);
  } while (got < 0 && errno == EINTR);
  const bool cut_short = got >= 0 && static_cast<std::size_t>(got) < block_size && nr_blocks() > 0;
  if (got < 0 || cut_short) {
    throw base::io_error(base::system_message(name_, cut_short ? EIO : errno));
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
  for (read_request* const request : order) {
    if (std::binary_search(unreadable_.begin(), unreadable_.end(), request->where)) {
      request->error = EIO;
    }
  }
}

// A bad sector fails the whole transfer that it is in: ask for each block alone.
void file_device::read_singly(std::span<read_request* const> requests) {
  for (read_request* request : requests) {
    plan single;
    single.add(request->where, request->into, nullptr);
    run(single, false);
    const long result = single.transfers.front().io.result;
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
  if (begun.io.result < 0) {
    throw base::io_error(base::system_message(name_, static_cast<int>(-begun.io.result)));
  }
  const std::uint64_t where = begun.first * block_size;
  const auto written = static_cast<std::uint64_t>(begun.io.result);
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < begun.nr_parts; ++i) {
    const iovec& part = all.parts_of(begun)[i];
    const std::uint64_t skip =
        std::min<std::uint64_t>(written - std::min(written, begin), part.iov_len);
    const int error =
        base::write_at(file_.fd(), where + begin + skip,
                       static_cast<const char*>(part.iov_base) + skip, part.iov_len - skip);
    if (error != 0) {
      throw base::io_error(base::system_message(name_, error));
    }
    begin += part.iov_len;
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
  std::vector<base::io_request*> rest;
  for (transfer& one : all.transfers) {
    if (writing || !read_cached(all, one)) {
      one.io.writes = writing;
      one.io.fd = file_.fd();
      one.io.offset = one.first * block_size;
      one.io.parts = all.parts_of(one);
      one.io.nr_parts = static_cast<int>(one.nr_parts);
      rest.push_back(&one.io);
    }
  }
  transfers_so_far_ += rest.size();
  if (rest.size() > few_transfers && transfers_so_far_ > transfers_worth_a_queue) {
    run_in_queue(rest);
  } else {
    std::for_each(rest.begin(), rest.end(), [](auto* one) { base::io_queue::run(*one); });
  }
}

void file_device::run_in_queue(const std::vector<base::io_request*>& requests) {
  if (!queue_) {
    queue_ = std::make_unique<base::io_queue>(queue_depth, name_);
  }
  for (base::io_request* const one : requests) {
    queue_->add(*one);
  }
  std::vector<base::io_request*> done;
  while (!queue_->is_idle()) {
    queue_->wait(done);
  }
}

// False where the page cache does not have all of it.
bool file_device::read_cached(const plan& all, transfer& one) {
  if (!cached_.is_open()) {
    return false;
  }
  one.io.result = ::preadv2(cached_.fd(), all.parts_of(one), static_cast<int>(one.nr_parts),
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

}  // namespace pd
