#include "era/rollback/list_reader.h"

#include "base/error.h"
#include "base/xml_document.h"
#include "era/rollback/json_list_reader.h"
#include "era/rollback/list_builder.h"

namespace era {
namespace {

class xml_list final : public base::xml_handler {
 public:
  void start(const base::xml_element& element) override {
    if (depth_ == 0) {
      if (element.name() != "blocks") {
        refuse_element(element, "<blocks>");
      }
      element.require_known({});
    } else if (depth_ == 2) {
      refuse_element(element, "the end of the one before");
    } else if (element.name() == "range") {
      element.require_known({"begin", "end"});
      const std::uint64_t begin = element.number("begin", max_data_blocks);
      builder_.add(begin, element.number("end", max_data_blocks));
    } else if (element.name() == "block") {
      element.require_known({"block"});
      const std::uint64_t block = element.number("block", max_data_blocks - 1);
      builder_.add(block, block + 1);
    } else {
      refuse_element(element, "<range> or <block>");
    }
    ++depth_;
  }

  void end() override { --depth_; }

  written_blocks finish() { return builder_.finish(); }

 private:
  list_builder builder_{max_data_blocks};
  int depth_ = 0;
};

changed_blocks read_xml_list(base::text_pieces& from, std::optional<std::uint32_t> block_size) {
  if (!block_size) {
    throw block_size_unknown(from.name() + ": a list in XML does not say how large its blocks are");
  }
  xml_list list;
  base::read_xml_document(from, list);
  return {from.name(), *block_size, list.finish(), std::nullopt, std::nullopt};
}

}  // namespace

changed_blocks read_list(base::text_pieces& from, std::optional<std::uint32_t> block_size) {
  const std::string_view text = from.peek();
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  const char first = at == std::string_view::npos ? '\0' : text[at];
  if (first == '{') {
    return read_json_list(from, block_size);
  }
  if (first == '<') {
    return read_xml_list(from, block_size);
  }
  throw base::data_error(from.name() + (text.empty() ? ": is empty" : ": is neither JSON nor XML") +
                         std::string(", not a list that era_invalidate printed"));
}

}  // namespace era
