#include "failing_system.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <system_error>

#include "catch.h"
#include "fixtures.h"

namespace failing {
namespace {

using faults::failure;
using fixtures::call;

bool is_killed(const failure& what) {
  return what.effect == "signal" && what.at != 0;
}

// A system call that was interrupted is made again, and threads are only for speed.
bool must_succeed(const failure& what) {
  return what.at == 0 || what.kind == "thread" || (what.effect == "error" && what.number == EINTR);
}

bool is_one_message(const std::string& text, bool tells_more) {
  const auto lines = std::count(text.begin(), text.end(), '\n');
  return !text.empty() && text.back() == '\n' && (lines <= 3 || tells_more) &&
         text.find(": ") != std::string::npos && text.find("terminate") == std::string::npos;
}

std::string judge_end(const subject& of, const failure& what, const harness::result& got) {
  if (is_killed(what) && got.status == 128 + what.number) {
    return "";
  }
  if (got.status == 0) {
    return got.err.empty() || of.tells_more ? "" : "success with a message";
  }
  if (got.status != 1) {
    return "neither success nor failure";
  }
  if (must_succeed(what) && !of.always_fails) {
    return "failure where there is no reason";
  }
  return is_one_message(got.err, of.tells_more) ? "" : "not one message";
}

struct run_result {
  int status = 0;
  std::uint64_t calls = 0;
};

run_result judged_run(const subject& of, const failure& what) {
  of.prepare();
  const auto got = faults::run(what, of.command, of.options);
  const auto ended = judge_end(of, what, got.result);
  const auto complaint = ended.empty() ? of.judge(what, got.result) : ended;
  INFO(of.name << ", " << faults::text_of(what) << ": status " << got.result.status << ", "
               << got.result.err);
  CHECK(complaint == "");
  return {got.result.status, got.calls};
}

// Which of so many calls fail. The short form has the first, the last, and two between.
std::vector<std::uint64_t> choose(std::uint64_t calls) {
  constexpr std::uint64_t at_each_end = 1;
  constexpr std::uint64_t between = 2;
  const auto step = harness::at_length() ? 1 : calls / (between + 1) + 1;
  std::vector<std::uint64_t> chosen;
  for (std::uint64_t call = 1; call <= calls; ++call) {
    if (call <= at_each_end || call + at_each_end > calls || call % step == 0) {
      chosen.push_back(call);
    }
  }
  return chosen;
}

struct tally {
  std::uint64_t runs = 0;
  std::uint64_t successes = 0;
};

tally fail_each(const subject& of, failure what, std::uint64_t calls) {
  tally found;
  for (const auto call : choose(calls)) {
    what.at = call;
    found.successes += judged_run(of, what).status == 0 ? 1 : 0;
    ++found.runs;
  }
  return found;
}

std::string text_in_table(const failure& what) {
  std::string text = what.kind + ": ";
  text += what.effect == "error" ? std::generic_category().message(what.number) : what.effect;
  if (what.effect == "torn" || what.effect == "signal") {
    text += " " + std::to_string(what.number);
  }
  return text + (what.lasts ? ", lasting" : "");
}

}  // namespace

const std::vector<failure>& usual_failures() {
  static const std::vector<failure> all = [] {
    std::vector<failure> made;
    for (const bool lasts : {false, true}) {
      for (const char* const kind : {"read", "write"}) {
        made.push_back({kind, 0, "error", EIO, lasts});
        made.push_back({kind, 0, "short", 0, lasts});
      }
      made.push_back({"write", 0, "error", ENOSPC, lasts});
      made.push_back({"flush", 0, "error", EIO, lasts});
      made.push_back({"open", 0, "error", EMFILE, lasts});
      made.push_back({"rename", 0, "error", EIO, lasts});
      made.push_back({"close", 0, "error", EIO, lasts});
      made.push_back({"query", 0, "error", EIO, lasts});
      made.push_back({"thread", 0, "error", EAGAIN, lasts});
      made.push_back({"memory", 0, "error", ENOMEM, lasts});
    }
    for (const int eighths : {0, 1, 3, 7}) {
      made.push_back({"write", 0, "torn", eighths});
    }
    for (const char* const kind : {"read", "write", "flush", "open"}) {
      made.push_back({kind, 0, "error", EINTR});
    }
    return made;
  }();
  return all;
}

const std::vector<failure>& failures_and_kills() {
  static const std::vector<failure> all = [] {
    auto made = usual_failures();
    for (const char* const kind : {"open", "write", "flush", "rename", "close"}) {
      for (const int signal : {SIGKILL, SIGTERM}) {
        made.push_back({kind, 0, "signal", signal});
      }
    }
    return made;
  }();
  return all;
}

void check_failures(const subject& of, const std::vector<failure>& failures) {
  std::vector<words> rows = {{of.name, "calls", "runs", "succeeded"}};
  tally all;
  for (const auto& what : failures) {
    const auto calls = judged_run(of, what).calls;
    const auto found = fail_each(of, what, calls);
    if (found.runs > 0) {
      rows.push_back({text_in_table(what), std::to_string(calls), std::to_string(found.runs),
                      std::to_string(found.successes)});
    }
    all.runs += found.runs;
    all.successes += found.successes;
  }
  rows.push_back({"all", "", std::to_string(all.runs), std::to_string(all.successes)});
  harness::print_table(rows);
  CHECK(all.runs > all.successes);
  CHECK((all.successes > 0 || of.always_fails));
}

bool is_begin_of(const std::string& text, const std::string& of) {
  return of.compare(0, text.size(), text) == 0;
}

std::string fast_folder() {
  const std::string memory = "/dev/shm";
  std::error_code none;
  const auto room = std::filesystem::space(memory, none);
  constexpr std::uint64_t enough = 256 << 20;
  return !none && room.available > enough ? memory
                                          : std::filesystem::temp_directory_path().string();
}

bool is_refused(const std::string& path) {
  static std::set<std::string> known;
  const auto block = harness::read_file(path).substr(0, fixtures::block_bytes);
  if (block.find_first_not_of('\0') == std::string::npos) {
    return false;
  }
  if (known.count(block) == 0 && call("era_check", {path}).status == 1 &&
      call("era_dump", {path}).status == 1 && call("era_dump", {"--repair", path}).status == 1 &&
      call("era_invalidate", {"--written-since", "0", path}).status == 1) {
    known.insert(block);
  }
  return known.count(block) != 0;
}

}  // namespace failing
