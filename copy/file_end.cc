#include "copy/file_end.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/error.h"

namespace copy {
namespace {

constexpr int queue_depth = 64;
constexpr std::uint64_t alignment_of_files = 4096;

std::uint64_t alignment_of(int fd, const std::string& name) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_DIRECT) == 0) {
    return 1;
  }
  int sector = 0;
  const bool is_device = S_ISBLK(base::stat_of(fd, name).st_mode);
  return is_device && ::ioctl(fd, BLKSSZGET, &sector) == 0 && sector > 0
             ? static_cast<std::uint64_t>(sector)
             : alignment_of_files;
}

// Zeros to write, of so many bytes at most.
void add_zeros(std::vector<iovec>& parts, std::size_t size) {
  alignas(4096) static std::array<std::byte, 65536> zeros{};
  while (size > 0 && parts.size() < IOV_MAX) {
    parts.push_back({zeros.data(), std::min(size, zeros.size())});
    size -= parts.back().iov_len;
  }
}

}  // namespace

// A request with what the queue wants to know of it.
struct file_end::flight {
  base::io_request io;
  std::vector<iovec> parts;
  request* of = nullptr;
  std::size_t done = 0;  // bytes of it, by requests before this one
};

file_end::file_end(base::file_handle file, std::string name)
    : file_(std::move(file)),
      name_(std::move(name)),
      size_(base::size_in_bytes(file_.fd(), name_)),
      alignment_(alignment_of(file_.fd(), name_)),
      queue_(std::make_unique<base::io_queue>(queue_depth, name_,
                                              base::io_queue::polling::by_event_fd)) {}

// The requests under way are done before their memory goes.
file_end::~file_end() {
  queue_.reset();
}

void file_end::grow_to(std::uint64_t bytes) {
  if (size_ < bytes && S_ISREG(base::stat_of(file_.fd(), name_).st_mode)) {
    if (base::retry([&] { return ::ftruncate(file_.fd(), static_cast<off_t>(bytes)); }) != 0) {
      throw base::io_error(base::system_message(name_, errno));
    }
    size_ = bytes;
  }
  endpoint::grow_to(bytes);
}

void file_end::start(request& wanted) {
  wanted.error = 0;
  if (wanted.what == request::kind::zero && can_zero_ && is_aligned(wanted, 0)) {
    wanted.error = make_zero(wanted);
    if (wanted.error != ENOTSUP) {
      note_done(wanted);
      return;
    }
    wanted.error = 0;
  }
  launch(wanted, 0);
}

// Bytes that a request for the rest of it is to move; 0 if it can't be direct.
std::size_t file_end::direct_size(const request& wanted, std::size_t done) const {
  if (!is_aligned(wanted, done)) {
    return 0;
  }
  const std::size_t left = wanted.size - done;
  // The end of a file may be read as a whole unit: what lies past it is not given.
  const std::size_t size = (left + alignment_ - 1) / alignment_ * alignment_;
  const bool may_read_more = wanted.what == request::kind::read && size <= wanted.room - done;
  return size == left || may_read_more ? size : 0;
}

bool file_end::is_aligned(const request& wanted, std::size_t done) const {
  const auto memory = reinterpret_cast<std::uintptr_t>(wanted.memory);
  const bool has_aligned_end =
      wanted.what != request::kind::zero || (wanted.offset + wanted.size) % alignment_ == 0;
  return has_aligned_end && (wanted.offset + done) % alignment_ == 0 &&
         (memory + done) % alignment_ == 0;
}

void file_end::launch(request& wanted, std::size_t done) {
  const std::size_t size = direct_size(wanted, done);
  if (size == 0 || !not_direct_.empty()) {
    not_direct_.push_back({&wanted, done});
    return;
  }
  flight& begun = take_flight();
  begun.of = &wanted;
  begun.done = done;
  begun.parts.clear();
  if (wanted.what == request::kind::zero) {
    add_zeros(begun.parts, size);
  } else {
    begun.parts.push_back({wanted.memory + done, size});
  }
  begun.io.owner = &begun;
  begun.io.writes = wanted.what != request::kind::read;
  begun.io.fd = file_.fd();
  begun.io.offset = wanted.offset + done;
  begun.io.parts = begun.parts.data();
  begun.io.nr_parts = static_cast<int>(begun.parts.size());
  queue_->add(begun.io);
}

file_end::flight& file_end::take_flight() {
  if (free_.empty()) {
    flights_.push_back(std::make_unique<flight>());
    return *flights_.back();
  }
  flight& taken = *free_.back();
  free_.pop_back();
  return taken;
}

void file_end::collect(std::vector<request*>& done) {
  collect_ended();
  if (!not_direct_.empty() && free_.size() == flights_.size()) {
    leave_direct();
    collect_ended();
  }
  endpoint::collect(done);
}

void file_end::collect_ended() {
  ended_.clear();
  queue_->collect(ended_);
  for (base::io_request* const ended : ended_) {
    complete(*static_cast<flight*>(ended->owner));
  }
}

void file_end::complete(flight& ended) {
  free_.push_back(&ended);
  request& of = *ended.of;
  const long moved = ended.io.result;
  const std::size_t done = ended.done + static_cast<std::size_t>(std::max(moved, 0L));
  if (moved == -EINVAL && alignment_ > 1) {  // another alignment is wanted
    not_direct_.push_back({&of, done});
    return;
  }
  if (moved == -EINTR || (moved > 0 && done < of.size)) {
    launch(of, done);  // the system says why it was cut short only when it is asked for the rest
    return;
  }
  // Nothing moved: the file is shorter than it was.
  of.error = moved < 0 ? static_cast<int>(-moved) : moved == 0 ? EIO : 0;
  note_done(of);
}

void file_end::leave_direct() {
  const int flags = ::fcntl(file_.fd(), F_GETFL);
  if (flags < 0 || ::fcntl(file_.fd(), F_SETFL, flags & ~O_DIRECT) != 0) {
    throw base::io_error(base::system_message(name_, errno));
  }
  // What was written past the page cache by others is not in it.
  ::posix_fadvise(file_.fd(), 0, 0, POSIX_FADV_DONTNEED);
  alignment_ = 1;
  for (const rest& left : std::exchange(not_direct_, {})) {
    launch(*left.of, left.done);
  }
}

// ENOTSUP: they have to be written.
int file_end::make_zero(const request& wanted) {
  // A hole; if that can't be had, zeros that the device or its driver makes.
  for (const int how : {FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE}) {
    const int made = base::retry([&] {
      return ::fallocate(file_.fd(), how | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(wanted.offset),
                         static_cast<off_t>(wanted.size));
    });
    if (made == 0) {
      return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL && errno != ENODEV) {
      return errno;
    }
    const bool is_last = how == FALLOC_FL_ZERO_RANGE;
    can_zero_ = !is_last || errno == EINVAL;  // EINVAL is of this place alone: it is not aligned
  }
  return ENOTSUP;
}

void file_end::abandon() noexcept {
  // Its end waits for what is under way.
  queue_.reset();
  not_direct_.clear();
  endpoint::abandon();
}

void file_end::flush() {
  base::sync_file(file_.fd(), name_);
  const struct stat now = base::stat_of(file_.fd(), name_);
  if (S_ISREG(now.st_mode) &&
      (now.st_nlink == 0 || static_cast<std::uint64_t>(now.st_size) < size_)) {
    throw base::io_error(name_ + ": was removed, replaced or cut short while it was written to");
  }
}

}  // namespace copy
