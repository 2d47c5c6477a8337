#include "base/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"

namespace base {
namespace {

constexpr std::size_t direct_alignment = 4096;

}  // namespace

input::piece::piece() : bytes_(static_cast<char*>(std::aligned_alloc(direct_alignment, most))) {
  if (!bytes_) {
    throw std::bad_alloc();
  }
}

input::input(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), stopped_(::eventfd(0, EFD_CLOEXEC)) {
  if (!stopped_.is_open()) {
    throw io_error(system_message(name_, errno));
  }
  open_file();
}

// Anew, since what is said of a descriptor holds for all that share it.
void input::open_file() {
  struct stat info {};
  const off_t here = ::lseek(fd_, 0, SEEK_CUR);
  if (here < 0 || ::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) {
    return;
  }
  file_handle cached = reopen_cached(fd_);
  file_handle direct = reopen(fd_, O_RDONLY | O_DIRECT);
  if (cached.is_open() && direct.is_open()) {
    cached_ = std::move(cached);
    direct_ = std::move(direct);
    position_ = static_cast<std::uint64_t>(here);
  }
}

void input::stop() {
  // Cannot fail: the counter is far from its end.
  static_cast<void>(::eventfd_write(stopped_.fd(), 1));
}

bool input::wait() {
  pollfd files[] = {{fd_, POLLIN, 0}, {stopped_.fd(), POLLIN, 0}};
  while (::poll(files, 2, -1) < 0 && errno == EINTR) {
  }
  return (files[1].revents & POLLIN) == 0;
}

std::size_t input::read_some(char* data, std::size_t size) {
  return direct_.is_open() ? read_file(data, size) : read_stream(data, size);
}

std::size_t input::read_stream(char* data, std::size_t size) {
  while (wait()) {
    const ssize_t got = ::read(fd_, data, size);
    if (got >= 0) {
      return static_cast<std::size_t>(got);
    }
    if (errno != EINTR && errno != EAGAIN) {
      throw io_error(system_message(name_, errno));
    }
  }
  return 0;
}

std::size_t input::read_file(char* data, std::size_t size) {
  if (const auto got = read_cached(data, size)) {
    position_ += *got;
    return *got;
  }
  if (!pieces_) {
    read_directly_from_now();
  }
  if (!piece_ || position_ == piece_->begin + piece_->size) {
    piece_.reset();
    piece_ = pieces_->next();
  }
  if (!piece_ || position_ >= piece_->begin + piece_->size) {
    return 0;
  }
  const std::size_t skip = position_ - piece_->begin;
  const std::size_t count = std::min(size, piece_->size - skip);
  std::memcpy(data, piece_->memory() + skip, count);
  position_ += count;
  return count;
}

// Empty from where on it pays no more.
std::optional<std::size_t> input::read_cached(char* data, std::size_t size) {
  if (!cache_credit_.is_left()) {
    return std::nullopt;
  }
  const iovec part = {data, size};
  const auto at = static_cast<off_t>(position_);
  // 0 does not prove the end: Linux 5.9 and 5.10 return it as well where the cache has nothing.
  ssize_t got = ::preadv2(cached_.fd(), &part, 1, at, RWF_NOWAIT);
  if (got > 0) {
    cache_credit_.hit();
    return static_cast<std::size_t>(got);
  }
  cache_credit_.miss();
  if (!cache_credit_.is_left()) {
    return std::nullopt;
  }
  do {
    got = ::preadv(cached_.fd(), &part, 1, at);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    throw io_error(system_message(name_, errno));
  }
  return static_cast<std::size_t>(got);
}

void input::read_directly_from_now() {
  next_piece_ = position_ - position_ % direct_alignment;
  pieces_.emplace(2, [this](piece& to) { return read_piece(to); });
}

bool input::read_piece(piece& to) {
  const auto at = static_cast<off_t>(next_piece_);
  ssize_t got = -1;
  do {
    got = ::pread(direct_.fd(), to.memory(), piece::most, at);
    if (got < 0 && errno == EINVAL) {
      // The file wants another alignment.
      got = ::pread(cached_.fd(), to.memory(), piece::most, at);
    }
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    throw io_error(system_message(name_, errno));
  }
  to.begin = next_piece_;
  to.size = static_cast<std::size_t>(got);
  next_piece_ += to.size;
  return got > 0;
}

}  // namespace base
