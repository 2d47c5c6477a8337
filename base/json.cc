#include "base/json.h"

#include <algorithm>
#include <cstddef>

#include "base/utf8.h"

namespace base {

void json_writer::begin_value(std::string_view name) {
  if (!level_has_values_.empty()) {
    out_ << (level_has_values_.back() ? ",\n" : "\n");
    level_has_values_.back() = true;
  }
  for (std::size_t level = 0; level < level_has_values_.size(); ++level) {
    out_ << "  ";
  }
  if (!name.empty()) {
    quoted(name);
    out_ << ": ";
  }
}

void json_writer::end_level(std::string_view bracket) {
  const bool had_values = level_has_values_.back();
  level_has_values_.pop_back();
  if (had_values) {
    out_ << "\n";
    for (std::size_t level = 0; level < level_has_values_.size(); ++level) {
      out_ << "  ";
    }
  }
  out_ << bracket;
  if (level_has_values_.empty()) {
    out_ << "\n";
  }
}

void json_writer::begin_object(std::string_view name) {
  begin_value(name);
  out_ << "{";
  level_has_values_.push_back(false);
}

void json_writer::end_object() {
  end_level("}");
}

void json_writer::begin_array(std::string_view name) {
  begin_value(name);
  out_ << "[";
  level_has_values_.push_back(false);
}

void json_writer::end_array() {
  end_level("]");
}

void json_writer::text(std::string_view name, std::string_view value) {
  begin_value(name);
  quoted(value);
}

void json_writer::number(std::string_view name, std::uint64_t value) {
  begin_value(name);
  out_.number(value);
}

void json_writer::boolean(std::string_view name, bool value) {
  begin_value(name);
  out_ << (value ? "true" : "false");
}

void json_writer::null(std::string_view name) {
  begin_value(name);
  out_ << "null";
}

void json_writer::quoted(std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out_ << "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length != 1) {
      // A file name may hold any bytes; JSON is UTF-8.
      out_ << (length == 0 ? "\\ufffd" : text.substr(at, length));
      at += std::max<std::size_t>(length, 1);
      continue;
    }
    const char c = text[at++];
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      const char escaped[] = {'\\', c};
      out_ << std::string_view(escaped, 2);
    } else if (code < 0x20) {
      const char escaped[] = {'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]};
      out_ << std::string_view(escaped, 6);
    } else {
      out_ << std::string_view(&c, 1);
    }
  }
  out_ << "\"";
}

}  // namespace base
