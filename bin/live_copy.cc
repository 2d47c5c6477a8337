#include "bin/live_copy.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/number.h"
#include "bin/metadata_source.h"
#include "copy/nbd_end.h"

namespace cli {
namespace {

constexpr std::uint64_t bytes_of_sector = 512;

// Enough to tell how fast a device is.
constexpr std::uint64_t bytes_of_trial = std::uint64_t{64} << 20;

// What a file lies on shows its folder, if it is not there yet.
std::string place_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? path : folder_of(path);
}

// What this process needs is in memory from now on: nothing that it does waits for a disk that is
// suspended.
void lock_memory() {
  if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    throw base::io_error(base::system_message("era_copy: its memory cannot be locked", errno,
                                              "Nothing was suspended. ulimit -l shows the limit."));
  }
}

std::string milliseconds_text(double seconds) {
  return std::to_string(static_cast<std::uint64_t>(seconds * 1000)) + " ms";
}

// Takes what is written to it, and leaves it.
class nowhere final : public copy::endpoint {
 public:
  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return INT64_MAX; }
  void start(copy::request& wanted) override { note_done(wanted); }

 private:
  std::string name_ = "nowhere";
};

// The first so many bytes of what another source gives.
copy::extent_source beginning_of(copy::extent_source all, std::uint64_t bytes) {
  return [all = std::move(all), left = bytes]() mutable -> std::optional<copy::extent> {
    std::optional<copy::extent> next = left > 0 ? all() : std::nullopt;
    if (next) {
      next->bytes.end = std::min(next->bytes.end, next->bytes.first + left);
      left -= next->bytes.size();
    }
    return next;
  };
}

}  // namespace

live_copy::live_copy(const arguments& given, const command& tool, copy_task& task)
    : given_(given),
      tool_(tool),
      task_(task),
      devices_(dm::system_devices()),
      device_(dm::find_era_device(*devices_, given.value("live"))),
      source_(open_copy_source(dm::node_of(base::number_text(device_.number)), true),
              device_.name) {}

std::uint64_t live_copy::bytes() const {
  return device_.length * bytes_of_sector;
}

era::written_list live_copy::list() {
  metadata_source source(given_, tool_);
  if (source.live_number() != device_.number || source.live_bytes() != bytes()) {
    throw base::data_error(device_.name +
                           ": was resized or replaced while it was copied\nStart again.");
  }
  era::written_list found = task_.list(source.device(), source.state(), bytes());
  source.finish();
  return found;
}

void live_copy::open_target(const era::written_list& first) {
  require_target_elsewhere();
  const std::array sources = {base::stat_path(dm::node_of(base::number_text(device_.number))),
                              base::stat_path(device_.origin), base::stat_path(device_.metadata)};
  task_.open(first, sources);
}

void live_copy::require_target_elsewhere() const {
  const std::string& path = task_.target_path();
  if (!path.empty() && !copy::is_nbd_uri(path)) {
    require_elsewhere(place_of(path), path);
  }
}

void live_copy::require_elsewhere(const std::string& place, const std::string& name) const {
  if (tree_.beneath_file(place).contains(device_.number)) {
    throw base::data_error(name + ": lies on " + device_.name +
                           ", which is to be copied\nGive one that lies elsewhere.");
  }
  const struct stat file = base::stat_path(place);
  if (S_ISBLK(file.st_mode) && tree_.beneath_device(device_.number).contains(file.st_rdev)) {
    throw base::data_error(name + ": " + device_.name + " lies on it" +
                           "\nGive one that lies elsewhere.");
  }
}

void live_copy::copy() {
  const era::written_list found = list();
  open_target(found);
  task_.copy(found, source_, task_.options());
  task_.complete(found.facts);
}

void live_copy::copy_consistently(const consistency& how) {
  require_may_suspend();
  era::written_list found = list();
  open_target(found);
  std::uint64_t before = UINT64_MAX;
  for (std::uint64_t rounds = 0; found.facts.total_bytes > how.max_rest &&
                                 found.facts.total_bytes < before && rounds < how.max_rounds;
       ++rounds) {
    before = found.facts.total_bytes;
    task_.copy(found, source_, task_.options());
    found = list();
  }
  require_short_enough(found.facts.total_bytes, how);
  task_.complete(copy_suspended(how));
}

void live_copy::require_may_suspend() const {
  dm::require_sole_user(tree_, device_);
  require_target_elsewhere();
  if (task_.state().has_file()) {
    require_elsewhere(folder_of(task_.state().path()), task_.state().path());
  }
  const std::vector<std::string> needs = tree_.needs_of_process(device_.number);
  if (!needs.empty()) {
    throw base::data_error(device_.name + ": must not be suspended, since " + needs.front() +
                           " lies on it");
  }
}

void live_copy::require_short_enough(std::uint64_t rest, const consistency& how) const {
  const std::optional<double> rate = task_.rate();
  if (!rate) {
    return;
  }
  const double seconds = static_cast<double>(rest) / *rate;
  if (seconds > static_cast<double>(how.max_suspend.count())) {
    throw base::data_error(
        device_.name + ": was not suspended: the last " + std::to_string(rest) +
        " bytes would take " + milliseconds_text(seconds) + ", longer than --max-suspend\n" +
        "It is written to faster than it can be copied. Start again when it is less busy, or "
        "allow a longer suspension.");
  }
}

era::list_facts live_copy::copy_suspended(const consistency& how) {
  copy::file_end origin(open_copy_source(device_.origin, true), device_.origin);
  pd::file_device metadata =
      pd::file_device::open_for_reading(device_.metadata, pd::file_device::sharing::shared);
  require_may_suspend();
  lock_memory();
  copy::copy_options options = task_.options();
  options.rate = 0;

  dm::suspension suspended(*devices_, dm::require_target(*devices_, device_.name, dm::era_target),
                           {how.max_suspend, given_.has("quiet")});
  options.deadline = suspended.deadline();
  const std::string superblock = metadata.first_bytes();
  const era::written_list rest = task_.list(metadata, era::metadata_state::live, bytes());
  task_.copy(rest, origin, options);
  // Each resume begins an era, so this has changed if there was one.
  const bool is_same = metadata.first_bytes() == superblock;
  suspended.resume();
  if (!is_same) {
    throw base::data_error(device_.name +
                           ": was resumed by somebody while the last blocks were copied\n"
                           "The target is of no one moment. Start again.");
  }
  task_.was_suspended(suspended.duration());
  return rest.facts;
}

void live_copy::explain(const consistency* how) {
  if (how != nullptr) {
    require_may_suspend();
  }
  const era::written_list found = list();
  base::output out(given_.has("quiet") ? "/dev/null" : "-");
  out << "would copy " << base::counted(found.facts.total_bytes, "byte") << " in "
      << base::counted(found.facts.total_ranges, "range") << ", written since era "
      << std::to_string(found.facts.written_since) << "\n";
  if (how != nullptr) {
    nowhere target;
    const std::uint64_t trial = std::min(found.facts.total_bytes, bytes_of_trial);
    const auto begun = std::chrono::steady_clock::now();
    copy::copy_extents(source_, target, beginning_of(extents_of(found), trial), trial, {},
                       task_.progress());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    const std::uint64_t rest = std::min(found.facts.total_bytes, how->max_rest);
    out << "would then suspend " << device_.name << " for " << base::counted(rest, "byte")
        << " at most";
    if (trial > 0 && took.count() > 0) {
      out << ", about "
          << milliseconds_text(static_cast<double>(rest) / static_cast<double>(trial) *
                               took.count())
          << " at the rate at which it can be read, and what a file system takes to freeze";
    }
    out << "\n";
  }
  out.commit();
}

}  // namespace cli
