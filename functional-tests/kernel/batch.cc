#include "batch.h"

#include <algorithm>
#include <filesystem>

#include "guest.h"
#include "guest_script.h"
#include "judge.h"

namespace kernel {
namespace {

// What the kernel logs when it refuses a message, which schedules do on purpose.
const std::vector<std::string> refusals_in_log = {"metadata snapshot already exists",
                                                  "no snap to drop", "unsupported message"};

std::vector<std::string> guest_troubles(const outcome& ended) {
  auto found = complaints(ended.dmesg, refusals_in_log);
  if (ended.status != 0) {
    found.push_back(
        "the guest's exit status is " + std::to_string(ended.status) + ": " + ended.err +
        ended.out.substr(ended.out.size() - std::min<std::size_t>(ended.out.size(), 1000)));
  }
  return found;
}

}  // namespace

void batch::add(const guest_schedule& schedule) {
  harness::make_zeroed(metadata(schedule.name), schedule.metadata_bytes);
  subjects_.push_back({schedule, guest_model(schedule.block_size)});
}

void batch::add(const guest_schedule& schedule, const std::string& from,
                const harness::truth& initial) {
  add(schedule, from, guest_model(schedule.block_size, initial));
}

void batch::add(const guest_schedule& schedule, const std::string& from,
                const guest_model& initial) {
  std::filesystem::copy_file(from, metadata(schedule.name));
  subjects_.push_back({schedule, initial});
}

const std::vector<std::string>& batch::statuses(const std::string& name) const {
  return std::find_if(subjects_.begin(), subjects_.end(),
                      [&](const subject& one) { return one.wanted.name == name; })
      ->statuses;
}

std::vector<std::string> batch::run() {
  std::size_t boots = 0;
  for (const auto& one : subjects_) {
    boots = std::max(boots, one.wanted.sessions.size());
  }
  for (std::size_t boot = 0; boot < boots && troubles_.empty(); ++boot) {
    run_boot(boot);
  }
  return troubles_;
}

bool batch::has_session(const subject& one, std::size_t boot) const {
  return boot < one.wanted.sessions.size();
}

void batch::run_boot(std::size_t boot) {
  const auto ended = run_guest(boot);
  note("boot " + std::to_string(boot), guest_troubles(ended));
  if (ended.status != 0) {
    return;
  }
  for (auto& one : subjects_) {
    if (has_session(one, boot)) {
      judge(one, boot, ended.out);
    }
  }
}

outcome batch::run_guest(std::size_t boot) {
  const auto origin = folder_ / "origin";
  harness::make_zeroed(origin, origin_bytes());
  guest guest;
  device_names names{"", guest.add_disk(origin)};
  std::string script;
  bool cut = false;
  for (const auto& one : subjects_) {
    if (has_session(one, boot)) {
      names.metadata = guest.add_disk(metadata(one.wanted.name));
      script += guest_script(one.wanted, boot, names);
      cut = cut || one.wanted.sessions[boot].end == ending::power_cut;
    }
  }
  return cut ? guest.run_and_cut(script) : guest.run(script);
}

void batch::judge(subject& one, std::size_t boot, const std::string& output) {
  const auto& session = one.wanted.sessions[boot];
  const auto before = one.expected.statuses().size();
  one.expected.run(session);
  const auto& statuses = one.expected.statuses();
  const auto where = one.wanted.name + ", session " + std::to_string(boot);
  for (const auto& line : lines_of(output)) {
    if (const auto prefix = one.wanted.name + ": "; line.rfind(prefix, 0) == 0) {
      one.statuses.push_back(line.substr(prefix.size()));
    }
  }
  note(where,
       status_troubles(output, one.wanted.name,
                       {statuses.begin() + static_cast<std::ptrdiff_t>(before), statuses.end()}));
  note(where, metadata_troubles(metadata(one.wanted.name), one.wanted.block_size, one.expected,
                                session.end));
}

void batch::note(const std::string& where, const std::vector<std::string>& found) {
  for (const auto& trouble : found) {
    troubles_.push_back(where);
    troubles_.back().append(": ").append(trouble);
  }
}

std::uint64_t batch::origin_bytes() const {
  std::uint64_t sectors = 0;
  for (const auto& one : subjects_) {
    sectors = std::max(sectors, one.wanted.origin_sectors());
  }
  return sectors * 512;
}

}  // namespace kernel
