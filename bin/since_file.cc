#include "bin/since_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/output.h"

namespace cli {
namespace {

// At most one byte more than a state can have.
std::string read_beginning(int fd, const std::string& path) {
  std::string text(era::longest_since_state + 1, '\0');
  text.resize(base::read_up_to(fd, text.data(), text.size(), path));
  return text;
}

}  // namespace

std::optional<era::since_state> read_since_file(const std::string& path) {
  // Not to wait for a fifo.
  const base::file_handle file(
      base::retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (!file.is_open()) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    throw base::io_error(base::system_message(path, errno));
  }
  if (!S_ISREG(base::stat_of(file.fd(), path).st_mode)) {
    throw base::io_error(path + ": not a regular file, so no state can be kept in it");
  }
  return era::decode_since_state(read_beginning(file.fd(), path), path);
}

void write_since_file(const std::string& path, const era::since_state& state) {
  base::output file(path);
  file << era::encode_since_state(state);
  file.commit();
}

std::string pending_file_of(const std::string& path) {
  return path + ".pending";
}

void commit_since_file(const std::string& path) {
  const std::string pending_path = pending_file_of(path);
  const std::optional<era::since_state> pending = read_since_file(pending_path);
  if (!pending) {
    throw base::data_error(pending_path + ": No such file or directory\n" +
                           "Nothing is pending for " + path + ".");
  }
  const std::optional<era::since_state> present = read_since_file(path);
  if (present && pending->next_since < present->next_since) {
    throw base::data_error(pending_path + ": asks for era " + std::to_string(pending->next_since) +
                           ", which is before era " + std::to_string(present->next_since) + " of " +
                           path + "\nIt was left by an older run; make a new list.");
  }
  if (present && present->in_progress && pending->current_era < present->current_era) {
    throw base::data_error(pending_path +
                           ": is older than the copy that was interrupted, of which " + path +
                           " knows\nMake a new delta, or repeat that copy.");
  }
  write_since_file(path, *pending);
  if (::unlink(pending_path.c_str()) != 0) {
    throw base::io_error(base::system_message(pending_path, errno));
  }
}

}  // namespace cli
