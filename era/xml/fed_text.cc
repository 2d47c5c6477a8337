#include "era/xml/fed_text.h"

#include <algorithm>

namespace era {
namespace {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// What of `text`, which begins at `begin` of the document, lies after `place`.
std::string_view part_after(std::int64_t place, std::string_view text, std::int64_t begin) {
  const auto size = static_cast<std::int64_t>(text.size());
  return text.substr(static_cast<std::size_t>(std::clamp<std::int64_t>(place - begin, 0, size)));
}

}  // namespace

void fed_text::tag_ended() {
  tag_end_ = XML_GetCurrentByteIndex64(parser_) +
             static_cast<std::int64_t>(XML_GetCurrentByteCount64(parser_));
}

void fed_text::add(std::string_view text) {
  const std::int64_t begin = bytes_;
  bytes_ += static_cast<std::int64_t>(text.size());
  lines_ += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
  between_elements_ =
      tag_end_ >= begin && tag_end_ <= bytes_ && text.ends_with('\n') &&
      part_after(tag_end_, text, begin).find_first_not_of(" \t\n") == std::string_view::npos;
  had_zeros_ = had_zeros_ || text.find('\0') != std::string_view::npos;
  // A carriage return ends a line for Expat, too; a zero is half a character of another encoding.
  plain_lines_ = plain_lines_ && !had_zeros_ && text.find('\r') == std::string_view::npos;
  if (document_end_ >= 0) {
    blank_since_document_ =
        blank_since_document_ && is_blank(part_after(document_end_, text, begin));
  }
}

bool fed_text::ends_with_zeros(std::string_view text) const {
  const std::size_t zero = text.find('\0');
  if (document_end_ < 0 || !blank_since_document_ || had_zeros_ || zero == std::string_view::npos) {
    return false;
  }
  const std::int64_t refused = XML_GetCurrentByteIndex64(parser_);
  return refused >= document_end_ && refused - bytes_ == static_cast<std::int64_t>(zero) &&
         is_blank(part_after(document_end_, text.substr(0, zero), bytes_));
}

std::size_t fed_text::pending() const {
  const std::int64_t reached = XML_GetCurrentByteIndex64(parser_);
  return reached < 0 ? 0 : static_cast<std::size_t>(std::max<std::int64_t>(bytes_ - reached, 0));
}

}  // namespace era
