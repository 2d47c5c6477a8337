// The words of a table or a status, one after the other. What is not as it should be is refused as
// a whole: nothing is guessed. Not thread safe.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace dm {

// "10/256", "254:3"
struct number_pair {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

class word_reader {
 public:
  // `refusal` is what refuse() says, with the text after it: "NAME: its table is not understood".
  word_reader(std::string refusal, const std::string& text);

  // Each of these takes the next word, or words, and refuses where they are missing or not of that
  // kind.
  std::string next();
  void skip(std::uint64_t count);
  std::uint64_t number(std::uint64_t max = UINT64_MAX);
  number_pair pair();                        // used/total
  std::string device();                      // MAJOR:MINOR
  std::vector<std::string> counted_words();  // "2 metadata2 writeback"

  // Refuses if there are more.
  void require_end();

  // Throws base::data_error.
  [[noreturn]] void refuse() const;

 private:
  std::uint64_t number_in(const std::string& word, std::uint64_t max) const;
  number_pair pair_in(const std::string& word, char between, std::uint64_t max) const;

  std::string refusal_;
  std::string text_;
  std::istringstream words_;
};

}  // namespace dm
