#include "era/build/run_sorter.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <type_traits>

#include "base/error.h"

namespace era {
namespace {

static_assert(std::is_trivially_copyable_v<contents_run>);

bool before(const contents_run& a, const contents_run& b) {
  if (a.first != b.first) {
    return a.first < b.first;
  }
  return a.at.line != b.at.line ? a.at.line < b.at.line : a.at.column < b.at.column;
}

std::string temporary_directory() {
  const char* const chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen != '\0' ? chosen : "/tmp";
}

base::file_handle open_nameless_file() {
  const std::string directory = temporary_directory();
  int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    std::string name = directory + "/era_restore.XXXXXX";
    fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) {
      throw base::io_error(base::system_message(
          directory, errno, "Elements out of order need room for a temporary file; set TMPDIR."));
    }
    ::unlink(name.c_str());
  }
  return base::file_handle(fd);
}

}  // namespace

void run_sorter::add(const contents_run& run) {
  held_.push_back(run);
  if (held_.size() == max_runs_) {
    write_spill();
  }
}

void run_sorter::write_spill() {
  if (!file_.is_open()) {
    file_ = open_nameless_file();
  }
  std::sort(held_.begin(), held_.end(), before);
  base::write_all(file_.fd(), reinterpret_cast<const char*>(held_.data()),
                  held_.size() * sizeof(contents_run),
                  "temporary file in " + temporary_directory());
  spill& added = spills_.emplace_back();
  added.offset = written_;
  written_ += held_.size();
  added.end = written_;
  held_.clear();
}

bool run_sorter::comes_later(const spill& a, const spill& b) {
  return before(b.buffer[b.at], a.buffer[a.at]);
}

void run_sorter::begin_merge() {
  merging_ = true;
  std::sort(held_.begin(), held_.end(), before);
  if (!held_.empty()) {
    spill& last = spills_.emplace_back();
    last.buffer.swap(held_);
  }
  std::vector<spill> filled;
  for (spill& one : spills_) {
    if (one.at < one.buffer.size() || refill(one)) {
      filled.push_back(std::move(one));
    }
  }
  spills_ = std::move(filled);
  std::make_heap(spills_.begin(), spills_.end(), comes_later);
}

bool run_sorter::refill(spill& from) {
  const std::size_t share = std::max<std::size_t>(64, max_runs_ / (spills_.size() + 1));
  const std::size_t count = std::min<std::uint64_t>(share, from.end - from.offset);
  from.at = 0;
  from.buffer.resize(count);
  if (count == 0) {
    return false;
  }
  const ssize_t bytes = static_cast<ssize_t>(count * sizeof(contents_run));
  if (::pread(file_.fd(), from.buffer.data(), static_cast<std::size_t>(bytes),
              static_cast<off_t>(from.offset * sizeof(contents_run))) != bytes) {
    throw base::io_error("the temporary file in " + temporary_directory() + " can't be read back");
  }
  from.offset += count;
  return true;
}

std::optional<contents_run> run_sorter::next() {
  if (!merging_) {
    begin_merge();
  }
  if (spills_.empty()) {
    return std::nullopt;
  }
  std::pop_heap(spills_.begin(), spills_.end(), comes_later);
  spill& smallest = spills_.back();
  const contents_run run = smallest.buffer[smallest.at++];
  if (smallest.at < smallest.buffer.size() || refill(smallest)) {
    std::push_heap(spills_.begin(), spills_.end(), comes_later);
  } else {
    spills_.pop_back();
  }
  return run;
}

}  // namespace era
