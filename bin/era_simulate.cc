#include <fcntl.h>
#include <unistd.h>

#include <exception>

#include "base/error.h"
#include "base/input.h"
#include "base/message.h"
#include "bin/command_line.h"
#include "era/simulation/schedule.h"
#include "era/simulation/simulated_files.h"

namespace {

constexpr cli::command command{
    "era_simulate",
    "[options] [SCRIPT]",
    "Runs an era target on ordinary files, as a script of device mapper commands says.",
    {{0, "verify", nullptr, "hold the metadata against what was written"},
     {0, "random", "SEED", "make a schedule instead of reading a script"},
     {0, "ops", "N", "operations in the schedule; 100 if not given"},
     {0, "print-script", nullptr, "print the schedule as a script, and do nothing else"},
     {0, "metadata", "FILE", "metadata of the schedule, a new file; era-metadata if not given"},
     {0, "origin", "FILE", "origin of the schedule, a new file; era-origin if not given"}}};

const char* const for_schedules[] = {"ops", "print-script", "metadata", "origin"};

era::schedule_options read_schedule_options(const cli::arguments& given) {
  era::schedule_options options;
  options.seed = given.number("random", UINT32_MAX);
  options.nr_operations = given.has("ops") ? given.number("ops", UINT32_MAX) : 100;
  options.metadata = given.value("metadata", "era-metadata");
  options.origin = given.value("origin", "era-origin");
  for (const std::string& file : {options.metadata, options.origin}) {
    if (file.find_first_of(" \t\r\n") != std::string::npos) {
      throw base::usage_error("'" + file + "': a script cannot name a file with blanks in it.");
    }
  }
  return options;
}

void print_schedule(const era::schedule_options& options, base::output& out) {
  era::schedule schedule(options);
  while (const auto next = schedule.next()) {
    out << era::text_of(*next) << "\n";
  }
}

// A line of the schedule fails as the same line of its printed script would.
void run_schedule(const era::schedule_options& options, era::simulator& simulator) {
  era::schedule schedule(options);
  std::uint64_t line = 0;
  std::string text = "the end";
  try {
    while (const auto next = schedule.next()) {
      ++line;
      text = "'" + era::text_of(*next) + "'";
      simulator.run(*next);
    }
    text = "the end";
    simulator.finish();
  } catch (const base::error& e) {
    std::throw_with_nested(base::data_error(
        "schedule " + std::to_string(options.seed) + ":" + std::to_string(line) + ": at " + text +
        ": " + e.what() + "\nRepeat it from a script: era_simulate --random " +
        std::to_string(options.seed) + " --ops " + std::to_string(options.nr_operations) +
        " --print-script."));
  }
}

void run_script(int fd, const std::string& name, era::simulator& simulator) {
  base::input script(fd, name);
  era::run_script([&](char* data, std::size_t size) { return script.read_some(data, size); }, name,
                  simulator);
}

void run_script(const std::string& file, era::simulator& simulator) {
  if (file == "-") {
    return run_script(STDIN_FILENO, "standard input", simulator);
  }
  const base::file_handle script(
      base::retry([&] { return ::open(file.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!script.is_open()) {
    throw base::io_error(base::system_message(file, errno));
  }
  run_script(script.fd(), file, simulator);
}

std::string advice_on(era::problem_code code) {
  const era::problem_row& row = era::row_of(code);
  return std::string(row.how_bad == era::severity::error
                         ? "era_check lists all that is wrong; "
                         : "To era_check this is no error, but a target can't work with it; ") +
         row.repair + ".";
}

// What the user can do about a failure, known from its innermost cause: the layers below know
// nothing of the tools. Empty where the message says all.
std::string advice_on(const std::exception& failure) {
  try {
    std::rethrow_if_nested(failure);
  } catch (const std::exception& cause) {
    return advice_on(cause);
  }
  if (dynamic_cast<const pd::out_of_space*>(&failure) != nullptr) {
    return "Move the metadata to a larger device with era_dump and era_restore.";
  }
  if (const auto* const damage = dynamic_cast<const era::damage_error*>(&failure)) {
    return advice_on(damage->found().code);
  }
  if (const auto* const damage = dynamic_cast<const pd::change_refused*>(&failure)) {
    return damage->kind() ? advice_on(era::code_of(*damage->kind()))
                          : "era_check lists all that is wrong.";
  }
  return "";
}

cli::exit_status simulate(const cli::arguments& given) {
  for (const char* const option : for_schedules) {
    if (given.has(option) && !given.has("random")) {
      throw base::usage_error(std::string("option '--") + option + "' needs '--random SEED'.");
    }
  }
  if (given.has("random") && given.has_input()) {
    throw base::usage_error("either a script or '--random SEED' is run, not both.");
  }
  base::output out("-");
  era::simulated_files files;
  era::simulator simulator(files, out, given.has("verify"),
                           [](const std::string& remark) { base::say(remark); });
  try {
    if (!given.has("random")) {
      run_script(given.has_input() ? given.input() : "-", simulator);
    } else if (given.has("print-script")) {
      print_schedule(read_schedule_options(given), out);
    } else {
      run_schedule(read_schedule_options(given), simulator);
    }
  } catch (const base::error& e) {
    out.commit();  // what came before the failure is as true as ever
    const std::string advice = advice_on(e);
    if (advice.empty()) {
      throw;
    }
    throw base::data_error(std::string(e.what()) + "\n" + advice);
  } catch (...) {
    out.commit();
    throw;
  }
  out.commit();
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, simulate);
}
