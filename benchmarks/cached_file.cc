#include "benchmarks/cached_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace bench {
namespace {

// How many requests from the first on are one stretch, on the device and in memory.
std::size_t length_of_stretch(std::span<const pd::write_request> batch) {
  std::size_t count = 1;
  while (count < batch.size() && batch[count].where == batch[0].where + count &&
         batch[count].from == batch[0].from + count * pd::block_size) {
    ++count;
  }
  return count;
}

}  // namespace

cached_file::cached_file(const std::string& path, pd::block_nr nr_blocks)
    : name_(path),
      nr_blocks_(nr_blocks),
      file_(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  const auto size = static_cast<off_t>(nr_blocks * pd::block_size);
  if (!file_.is_open() || ::ftruncate(file_.fd(), size) != 0) {
    throw base::io_error(
        base::system_message(name_, errno, "Give the name of a regular file, or of a new one."));
  }
  if (::fallocate(file_.fd(), 0, 0, size) != 0 && errno != EOPNOTSUPP) {
    throw base::io_error(base::system_message(
        name_, errno, "It takes " + std::to_string(size) + " bytes; use another folder."));
  }
}

void cached_file::read(std::span<pd::read_request> batch) {
  for (pd::read_request& request : batch) {
    const auto offset = static_cast<off_t>(request.where * pd::block_size);
    const ssize_t got = ::pread(file_.fd(), request.into, pd::block_size, offset);
    request.error = got < 0 ? errno : got < static_cast<ssize_t>(pd::block_size) ? EIO : 0;
  }
}

void cached_file::write(std::span<const pd::write_request> batch) {
  while (!batch.empty()) {
    const std::size_t count = length_of_stretch(batch);
    write_bytes(batch[0].where * pd::block_size, batch[0].from, count * pd::block_size);
    batch = batch.subspan(count);
  }
}

void cached_file::write_bytes(std::uint64_t offset, const std::byte* from, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::pwrite(file_.fd(), from, size, static_cast<off_t>(offset));
    if (written < 0) {
      throw base::io_error(base::system_message(name_, errno));
    }
    offset += static_cast<std::uint64_t>(written);
    from += written;
    size -= static_cast<std::size_t>(written);
  }
}

void cached_file::flush() {
  if (::fdatasync(file_.fd()) != 0) {
    throw base::io_error(base::system_message(name_, errno));
  }
}

}  // namespace bench
