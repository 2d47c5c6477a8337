#include "era/target/origin.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/storage.h"
#include "era/format/superblock.h"

namespace era {
namespace {

constexpr std::uint64_t sectors_of_zeros = 256;

off_t offset_of(std::uint64_t sector) {
  return static_cast<off_t>(sector * sector_bytes);
}

void require_done(const std::string& name, int error) {
  if (error != 0) {
    throw base::io_error(base::system_message(name, error));
  }
}

// Does not wait for the other end of a fifo. O_EXCL means that a block device is had alone.
base::file_handle open_origin(const std::string& name) {
  const bool is_device = S_ISBLK(base::stat_path(name).st_mode);
  base::file_handle file(base::retry([&] {
    return ::open(name.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | (is_device ? O_EXCL : 0));
  }));
  const int error = errno;
  struct stat info {};
  if (!file.is_open() && error != EISDIR && error != ENXIO) {
    throw base::io_error(
        base::system_message(name, error, error == EBUSY ? base::busy_advice : ""));
  }
  if (!file.is_open() || ::fstat(file.fd(), &info) != 0 ||
      (S_ISBLK(info.st_mode) ? !is_device : !S_ISREG(info.st_mode))) {
    throw base::io_error(name + ": Not a block device or regular file");
  }
  return file;
}

}  // namespace

void origin::write_zeroes(std::uint64_t sector, std::uint64_t nr_sectors) {
  const std::vector<std::byte> zeros(std::min(nr_sectors, sectors_of_zeros) * sector_bytes);
  while (nr_sectors > 0) {
    const std::uint64_t part = std::min(nr_sectors, sectors_of_zeros);
    write(sector, std::span(zeros).first(part * sector_bytes));
    sector += part;
    nr_sectors -= part;
  }
}

file_origin::file_origin(std::string path) : name_(std::move(path)), file_(open_origin(name_)) {
  nr_sectors_ = base::size_in_bytes(file_.fd(), name_) / sector_bytes;
}

void file_origin::read(std::uint64_t sector, std::span<std::byte> into) {
  require_done(name_, base::read_at(file_.fd(), sector * sector_bytes, into.data(), into.size()));
}

void file_origin::write(std::uint64_t sector, std::span<const std::byte> from) {
  require_done(name_, base::write_at(file_.fd(), sector * sector_bytes, from.data(), from.size()));
}

void file_origin::discard(std::uint64_t sector, std::uint64_t nr_sectors) {
  if (::fallocate(file_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset_of(sector),
                  offset_of(nr_sectors)) != 0 &&
      errno != EOPNOTSUPP) {
    throw base::io_error(base::system_message(name_, errno));
  }
}

void file_origin::flush() {
  if (base::retry([&] { return ::fdatasync(file_.fd()); }) != 0) {
    throw base::io_error(base::system_message(name_, errno));
  }
}

memory_origin::memory_origin(std::uint64_t nr_sectors, std::string name)
    : name_(std::move(name)), bytes_(nr_sectors * sector_bytes) {}

std::uint64_t memory_origin::nr_sectors() const {
  return bytes_.size() / sector_bytes;
}

void memory_origin::read(std::uint64_t sector, std::span<std::byte> into) {
  std::copy_n(bytes_.data() + sector * sector_bytes, into.size(), into.data());
}

void memory_origin::write(std::uint64_t sector, std::span<const std::byte> from) {
  std::copy(from.begin(), from.end(), bytes_.data() + sector * sector_bytes);
}

}  // namespace era
