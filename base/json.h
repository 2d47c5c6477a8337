// Writes JSON as a stream, two spaces a level: the caller opens and closes objects and arrays in
// order; commas, line ends and escapes are put here. Holds nothing but the nesting. Not thread
// safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace base {

class json_writer {
 public:
  explicit json_writer(base::text& out) : out_(out) {}

  // `name` is empty inside an array and at the top.
  void begin_object(std::string_view name = "");
  void end_object();
  void begin_array(std::string_view name = "");
  void end_array();
  void text(std::string_view name, std::string_view value);
  void number(std::string_view name, std::uint64_t value);
  void boolean(std::string_view name, bool value);
  void null(std::string_view name);

  // Objects and arrays that are open.
  std::size_t depth() const { return level_has_values_.size(); }

 private:
  void begin_value(std::string_view name);
  void end_level(std::string_view bracket);
  void quoted(std::string_view text);

  base::text& out_;
  std::vector<bool> level_has_values_;
};

}  // namespace base
