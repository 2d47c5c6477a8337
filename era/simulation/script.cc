#include "era/simulation/script.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "base/error.h"
#include "base/number.h"
#include "era/format/superblock.h"

namespace era {
namespace {

// What follows a verb: a file name, text up to the end of the line, and numbers, the last ones of
// which may be left out.
struct form {
  verb what;
  const char* word;
  bool file;  // and the numbers are sizes, in sectors or with a unit
  bool text;
  unsigned least_numbers;
  unsigned most_numbers;
  const char* usage;
};

constexpr form forms[] = {
    {verb::device, "device", true, false, 1, 1, "device <file> <size>"},
    {verb::create, "create", false, true, 0, 0, "create <table line>"},
    {verb::load, "load", false, true, 0, 0, "load <table line>"},
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

// No number is larger, so that sectors can be counted in bytes.
constexpr std::uint64_t most_sectors = UINT64_MAX / sector_bytes;

// What a file can have.
constexpr std::uint64_t most_file_sectors = INT64_MAX / sector_bytes;

// Words of any bytes go to a terminal.
std::string quoted(std::string_view word) {
  constexpr std::size_t most = 40;
  std::string text = "'";
  for (const char c : word.substr(0, most)) {
    text += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
  }
  return text + (word.size() > most ? "..." : "") + "'";
}

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

void refuse_binary(std::string_view line) {
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < ' ' && blanks.find(c) == std::string_view::npos) || byte == 0x7f) {
      throw base::data_error("a control character, byte " + std::to_string(byte) +
                             ", so this is no script");
    }
  }
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

std::uint64_t parse_digits(std::string_view word, std::uint64_t most, std::string_view digits,
                           const form& expected) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    refuse(quoted(word) + " is not a " + (expected.file ? "size" : "number"), expected);
  }
  const auto value = base::parse_number(digits, most);
  if (!value) {
    refuse(quoted(word) + " is too large, the most is " + std::to_string(most) +
               std::string(word.substr(digits.size())),
           expected);
  }
  return *value;
}

// In sectors.
std::uint64_t parse_size(std::string_view word, const form& expected) {
  const base::size_parts size = base::split_size(word, sector_bytes);
  const std::uint64_t sectors_in_unit = size.unit / sector_bytes;
  const std::uint64_t most = most_file_sectors / sectors_in_unit;
  return parse_digits(word, most, size.digits, expected) * sectors_in_unit;
}

std::uint64_t parse_one(std::string_view word, const form& expected) {
  return expected.file ? parse_size(word, expected)
                       : parse_digits(word, most_sectors, word, expected);
}

}  // namespace

std::optional<script_command> parse_command(std::string_view line) {
  refuse_binary(line);
  std::string_view rest = trimmed(line);
  if (rest.empty() || rest.front() == '#') {
    return std::nullopt;
  }
  const outcome expected = take_expectation(rest);
  const std::string word(take_word(rest));
  const form* const found = std::find_if(std::begin(forms), std::end(forms),
                                         [&](const form& f) { return word == f.word; });
  if (found == std::end(forms)) {
    throw base::data_error(word.empty()
                               ? "a command is missing; era_simulate(8) lists all"
                               : "unknown command " + quoted(word) + "; era_simulate(8) lists all");
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
    if (command.numbers.size() == found->most_numbers) {
      refuse(quoted(rest) + " is too much", *found);
    }
    command.numbers.push_back(parse_one(take_word(rest), *found));
  }
  if (command.numbers.size() < found->least_numbers) {
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
