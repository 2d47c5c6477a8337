#include "bin/copy_target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/in_use.h"
#include "base/storage.h"
#include "copy/file_end.h"
#include "copy/nbd_end.h"
#include "persistent-data/file_device.h"

namespace cli {
namespace {

constexpr mode_t mode_of_new_files = 0666;

using pd::file_device;

// Makes an empty file, whose name stays after a power cut.
void create(const std::string& path) {
  const base::file_handle made(base::retry([&] {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_of_new_files);
  }));
  if (!made.is_open()) {
    throw base::io_error(base::system_message(path, errno));
  }
  const base::file_handle folder = base::open_folder(AT_FDCWD, folder_of(path));
  if (folder.is_open()) {
    base::sync_file(folder.fd(), path);
  }
}

bool is_missing(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) != 0 && errno == ENOENT;
}

std::unique_ptr<copy::endpoint> open_file(const std::string& path,
                                          std::span<const struct stat> sources) {
  const base::storage_opening how = {O_RDWR | O_EXCL, base::busy_advice,
                                     "Only a copy of everything, since era 0, makes a new file."};
  base::file_handle file = base::open_storage(path, how);
  const struct stat info = base::stat_of(file.fd(), path);
  for (const struct stat& source : sources) {
    base::refuse_input(info, path, source);
  }
  base::hold_storage(file.fd(), how, path);
  return std::make_unique<copy::file_end>(std::move(file), path);
}

}  // namespace

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

std::unique_ptr<copy::endpoint> open_copy_target(const std::string& path, bool may_create,
                                                 std::span<const struct stat> sources) {
  if (copy::is_nbd_uri(path)) {
    return copy::connect_to_nbd(path);
  }
  if (may_create && is_missing(path)) {
    create(path);
  }
  return open_file(path, sources);
}

base::file_handle open_copy_source(const std::string& path, bool in_use) {
  const base::storage_opening how = {O_RDONLY | (in_use ? 0 : O_EXCL), base::busy_advice, ""};
  base::file_handle file = base::open_storage(path, how);
  base::hold_storage(file.fd(), how, path);
  return file;
}

void fit_target(copy::endpoint& target, const era::written_list& list) {
  const std::uint64_t needed = list.facts.origin_bytes;
  if (target.size() >= needed) {
    return;
  }
  const std::uint64_t first = target.size() / list.facts.block_bytes;
  const auto run = list.blocks.run_from(first);
  if (!run || run->first > first || run->end < list.facts.nr_list_blocks()) {
    throw base::data_error(target.name() + ": has " + std::to_string(target.size()) +
                           " bytes, the device " + std::to_string(needed) +
                           ", and not all that is missing was written since era " +
                           std::to_string(list.facts.written_since) +
                           "\nSo it is not a copy of that device; copy everything, since era 0.");
  }
  target.grow_to(needed);
}

copy::extent_source extents_of(const era::written_list& list) {
  return [&list, next = std::uint64_t{0}]() mutable -> std::optional<copy::extent> {
    const auto run = list.blocks.run_from(next);
    if (!run) {
      return std::nullopt;
    }
    next = run->end;
    return copy::extent{list.bytes_of(*run), false};
  };
}

}  // namespace cli
