#include "era/simulation/script.h"

#include <algorithm>

#include "base/error.h"
#include "base/number.h"

namespace era {
namespace {

// What follows a verb: a file name, text up to the end of the line, and numbers, the last ones of
// which may be left out.
struct form {
  verb what;
  const char* word;
  bool file;
  bool text;
  unsigned least_numbers;
  unsigned most_numbers;
  const char* usage;
};

constexpr form forms[] = {
    {verb::device, "device", true, false, 1, 1, "device <file> <sectors>"},
    {verb::create, "create", false, true, 0, 0, "create <table line>"},
    {verb::resume, "resume", false, false, 0, 0, "resume"},
    {verb::suspend, "suspend", false, false, 0, 0, "suspend"},
    {verb::reload, "reload", false, true, 0, 0, "reload <table line>"},
    {verb::remove, "remove", false, false, 0, 0, "remove"},
    {verb::write, "write", false, false, 2, 2, "write <sector> <sectors>"},
    {verb::write_zeroes, "write_zeroes", false, false, 2, 2, "write_zeroes <sector> <sectors>"},
    {verb::discard, "discard", false, false, 2, 2, "discard <sector> <sectors>"},
    {verb::read, "read", false, false, 2, 2, "read <sector> <sectors>"},
    {verb::flush, "flush", false, false, 0, 0, "flush"},
    {verb::message, "message", false, true, 0, 0, "message <text>"},
    {verb::status, "status", false, false, 0, 0, "status"},
    {verb::table, "table", false, false, 0, 0, "table"},
    {verb::step, "step", false, false, 0, 1, "step [<count>]"},
    {verb::settle, "settle", false, false, 0, 0, "settle"},
    {verb::power_cut, "power_cut", false, false, 0, 1, "power_cut [<seed>]"},
    {verb::power_cut_after, "power_cut_after", false, false, 1, 2,
     "power_cut_after <writes> [<seed>]"},
};

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Takes the first word off the text.
std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of(blanks), text.size());
  const std::string_view word = text.substr(0, end);
  text = trimmed(text.substr(end));
  return word;
}

outcome take_expectation(std::string_view& text) {
  const outcome expected = text.front() == '!'   ? outcome::failure
                           : text.front() == '-' ? outcome::any
                                                 : outcome::success;
  if (expected != outcome::success) {
    text = trimmed(text.substr(1));
  }
  return expected;
}

const form& form_of(verb what) {
  return *std::find_if(std::begin(forms), std::end(forms),
                       [&](const form& f) { return f.what == what; });
}

[[noreturn]] void refuse(const std::string& what, const form& expected) {
  throw base::data_error(what + "; expected: " + expected.usage);
}

}  // namespace

std::optional<script_command> parse_command(std::string_view line) {
  std::string_view rest = trimmed(line);
  if (rest.empty() || rest.front() == '#') {
    return std::nullopt;
  }
  const outcome expected = take_expectation(rest);
  const std::string word(take_word(rest));
  const form* const found = std::find_if(std::begin(forms), std::end(forms),
                                         [&](const form& f) { return word == f.word; });
  if (found == std::end(forms)) {
    throw base::data_error("unknown command '" + word + "'; era_simulate(8) lists all");
  }
  script_command command{found->what, expected};
  if (found->file) {
    command.text = take_word(rest);
  } else if (found->text) {
    command.text = rest;
    rest = {};
  }
  if ((found->file || found->text) && command.text.empty()) {
    refuse("something is missing after '" + word + "'", *found);
  }
  while (!rest.empty()) {
    const std::string number(take_word(rest));
    const auto value = base::parse_number(number, UINT64_MAX / 512);
    if (!value) {
      refuse("'" + number + "' is not a number", *found);
    }
    command.numbers.push_back(*value);
  }
  if (command.numbers.size() < found->least_numbers ||
      command.numbers.size() > found->most_numbers) {
    refuse("'" + word + "' with " + base::counted(command.numbers.size(), "number"), *found);
  }
  return command;
}

std::string text_of(const script_command& command) {
  std::string line = command.expected == outcome::failure ? "! "
                     : command.expected == outcome::any   ? "- "
                                                          : "";
  line += form_of(command.what).word;
  if (!command.text.empty()) {
    line += " " + command.text;
  }
  for (const std::uint64_t number : command.numbers) {
    line += " " + std::to_string(number);
  }
  return line;
}

}  // namespace era
