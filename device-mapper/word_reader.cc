#include "device-mapper/word_reader.h"

#include <utility>

#include "base/error.h"
#include "base/number.h"

namespace dm {

word_reader::word_reader(std::string refusal, const std::string& text)
    : refusal_(std::move(refusal)), text_(text), words_(text) {}

std::string word_reader::next() {
  std::string word;
  if (!(words_ >> word)) {
    refuse();
  }
  return word;
}

void word_reader::skip(std::uint64_t count) {
  for (; count > 0; --count) {
    next();
  }
}

std::uint64_t word_reader::number(std::uint64_t max) {
  return number_in(next(), max);
}

number_pair word_reader::pair() {
  return pair_in(next(), '/', UINT64_MAX);
}

std::string word_reader::device() {
  const std::string word = next();
  pair_in(word, ':', UINT32_MAX);
  return word;
}

std::vector<std::string> word_reader::counted_words() {
  std::vector<std::string> all;
  for (std::uint64_t left = number(); left > 0; --left) {
    all.push_back(next());
  }
  return all;
}

void word_reader::require_end() {
  std::string word;
  if (words_ >> word) {
    refuse();
  }
}

void word_reader::refuse() const {
  throw base::data_error(refusal_ + ": " + text_);
}

std::uint64_t word_reader::number_in(const std::string& word, std::uint64_t max) const {
  const auto value = base::parse_number(word, max);
  if (!value) {
    refuse();
  }
  return *value;
}

number_pair word_reader::pair_in(const std::string& word, char between, std::uint64_t max) const {
  const std::size_t middle = word.find(between);
  if (middle == std::string::npos) {
    refuse();
  }
  return {number_in(word.substr(0, middle), max), number_in(word.substr(middle + 1), max)};
}

}  // namespace dm
