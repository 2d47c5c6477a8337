#include "era/xml/xml_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/conveyor.h"
#include "base/error.h"
#include "base/expat.h"
#include "base/file_handle.h"
#include "base/input.h"
#include "base/number.h"
#include "era/format/superblock.h"
#include "era/xml/fed_text.h"
#include "era/xml/xml_events.h"
#include "era/xml/xml_scanner.h"

namespace era {
namespace {

using base::quoted;
using base::shortened;

constexpr std::size_t chunk_bytes = 1024 * 1024;
constexpr std::size_t longest_token = 1024 * 1024;
constexpr std::int64_t longest_document_type = 64 * 1024;

// Expat never forgets the name of an attribute.
constexpr std::size_t most_unknown_names = 1000;
constexpr std::size_t longest_unknown_name = 256;
constexpr std::size_t most_remarks = 16;

// Of the text of a reference after its ampersand.
bool needs_no_declaration(std::string_view reference) {
  constexpr std::string_view known[] = {"#", "lt;", "gt;", "amp;", "quot;", "apos;"};
  return std::any_of(std::begin(known), std::end(known),
                     [&](std::string_view begin) { return reference.starts_with(begin); });
}

// The attributes of one start tag; Expat has already refused those given twice.
class attributes {
 public:
  explicit attributes(const char** list) : list_(list) {}

  const char* find(std::string_view name) const {
    for (const char** at = list_; *at != nullptr; at += 2) {
      if (name == at[0]) {
        return at[1];
      }
    }
    return nullptr;
  }

  const char** begin() const { return list_; }

 private:
  const char** list_;
};

class reader {
 public:
  reader(std::string name, base::input& input, bool scanning)
      : name_(std::move(name)),
        input_(input),
        scanning_(scanning),
        parser_(XML_ParserCreate(nullptr)),
        fed_(parser_.get()) {
    if (!parser_) {
      throw std::bad_alloc();
    }
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), on_start, on_end);
    XML_SetEntityDeclHandler(parser_.get(), on_entity);
    XML_SetAttlistDeclHandler(parser_.get(), on_attribute_list);
    XML_SetDoctypeDeclHandler(parser_.get(), on_doctype, on_doctype_end);
  }

  // Replaces `into` by what the next part of the document says. False past its end, or where it
  // was refused: then that is the last of what `into` says.
  bool read_part(xml_events& into) {
    if (ended_) {
      return false;
    }
    into.clear();
    events_ = &into;
    try {
      ended_ = !parse_next_chunk();
    } catch (...) {
      into.fail(std::current_exception());
      ended_ = true;
    }
    into.document_bytes = bytes_;
    return true;
  }

 private:
  enum class inside { nothing, superblock, writeset, era_array, leaf };

  struct free_parser {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
  };

  // False past the end of the document.
  bool parse_next_chunk() {
    if (kept_ == buffer_.size()) {
      parse({buffer_.data(), kept_}, false);
      kept_ = 0;
    }
    if (zeros_follow_) {
      return false;
    }
    const std::size_t got = input_.read_some(buffer_.data() + kept_, buffer_.size() - kept_);
    bytes_ += got;
    if (got == 0) {
      parse({buffer_.data(), kept_}, true);
      return false;
    }
    if (std::string_view(buffer_.data() + kept_, got).find('\n') == std::string_view::npos) {
      kept_ += got;
      return true;
    }
    const std::string_view rest = take_lines({buffer_.data(), kept_ + got});
    kept_ = rest.size();
    if (rest.data() != buffer_.data()) {
      std::copy(rest.begin(), rest.end(), buffer_.begin());
    }
    return !zeros_follow_;
  }

  // Takes whole lines: those that every dump is full of by the scanner, the others by Expat.
  // Returns what is left.
  std::string_view take_lines(std::string_view text) {
    for (std::size_t end = 0; end != std::string_view::npos && !zeros_follow_;) {
      if (can_scan()) {
        text.remove_prefix(scan(text));
      }
      end = end_of_piece(text);
      if (end != std::string_view::npos) {
        parse(text.substr(0, end + 1), false);
        text.remove_prefix(end + 1);
      }
    }
    return text;
  }

  // Where the line ends with which Expat may go on. With a token pending it gets as much as is
  // pending, at least: if it took apart a token of many lines anew with each of them, that would
  // take it quadratic time.
  std::size_t end_of_piece(std::string_view text) const {
    return text.find('\n', std::max<std::size_t>(fed_.pending(), 1) - 1);
  }

  void parse(std::string_view text, bool at_end) {
    const XML_Status status = XML_Parse(parser_.get(), text.data(), static_cast<int>(text.size()),
                                        at_end ? XML_TRUE : XML_FALSE);
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    if (status != XML_STATUS_OK) {
      zeros_follow_ = fed_.ends_with_zeros(text);
      if (!zeros_follow_) {
        refuse_what_expat_refused();
      }
      return;
    }
    fed_.add(text);
    if (fed_.pending() > longest_token) {
      refuse("a tag or comment of more than a million bytes");
    }
    check_document_type(fed_.bytes());
  }

  void check_document_type(std::int64_t end) const {
    if (doctype_begin_ && end - *doctype_begin_ > longest_document_type) {
      refuse("a document type of more than " + std::to_string(longest_document_type) + " bytes");
    }
  }

  [[noreturn]] void refuse_what_expat_refused() const {
    const XML_Error error = XML_GetErrorCode(parser_.get());
    if (error == XML_ERROR_NO_MEMORY) {
      throw std::bad_alloc();
    }
    refuse(std::string(XML_ErrorString(error)) + ".  Is this XML as era_dump writes it?");
  }

  bool can_scan() const {
    return scanning_ && fed_.between_elements() && !doctype_ &&
           (inside_ == inside::writeset || inside_ == inside::era_array);
  }

  // What the scanner does not take, be it malformed or out of range, Expat and the functions below
  // will deal with. Returns how many bytes were taken.
  std::size_t scan(std::string_view text) {
    const bool bits = inside_ == inside::writeset;
    const leaf_scanner scanner =
        bits ? leaf_scanner(leaf_scanner::kind::bits, nr_bits_, 1)
             : leaf_scanner(leaf_scanner::kind::eras, nr_blocks_, current_era_);
    const leaf_scanner::result taken = scanner.scan(text, events_->room_for_lines(text.size()));
    if (taken.lines > 0) {
      events_->add_lines(bits, taken.lines, next_line());
      scanned_lines_ += taken.lines;
    }
    return taken.bytes;
  }

  std::uint64_t next_line() const { return scanned_lines_ + fed_.lines() + 1; }

  // Exceptions must not pass through Expat: they are kept and thrown again after it.
  template <typename Action>
  void guarded(Action action) {
    if (failure_) {
      return;
    }
    try {
      action();
    } catch (...) {
      failure_ = std::current_exception();
      XML_StopParser(parser_.get(), XML_FALSE);
    }
  }

  static void XMLCALL on_start(void* self, const char* element, const char** list) {
    auto* const r = static_cast<reader*>(self);
    r->guarded([&] {
      r->refuse_unread_entities();
      r->start(element, attributes(list));
    });
    r->fed_.tag_ended();
  }
  static void XMLCALL on_end(void* self, const char*) {
    auto* const r = static_cast<reader*>(self);
    r->guarded([&] { r->end(); });
    r->fed_.tag_ended();
    if (r->inside_ == inside::nothing) {
      r->fed_.document_ended();
    }
  }
  static void XMLCALL on_entity(void* self, const char*, int, const char*, int, const char*,
                                const char*, const char*, const char*) {
    auto* const r = static_cast<reader*>(self);
    r->guarded([&] { r->refuse("entity declarations are not accepted"); });
  }
  // Expat would add the declared attributes to every element.
  static void XMLCALL on_attribute_list(void* self, const char*, const char*, const char*,
                                        const char*, int) {
    auto* const r = static_cast<reader*>(self);
    r->guarded([&] { r->refuse("attribute declarations are not accepted"); });
  }
  static void XMLCALL on_doctype(void* self, const char*, const char* system_id, const char*,
                                 int has_internal_subset) {
    auto* const r = static_cast<reader*>(self);
    r->doctype_ = true;
    r->doctype_begin_ = XML_GetCurrentByteIndex64(r->parser_.get());
    r->unread_declarations_ = system_id != nullptr || has_internal_subset != 0;
  }
  static void XMLCALL on_doctype_end(void* self) {
    auto* const r = static_cast<reader*>(self);
    r->guarded([&] { r->check_document_type(XML_GetCurrentByteIndex64(r->parser_.get())); });
    r->doctype_begin_.reset();
  }

  // An external document type is not read, nor is what an internal one takes from elsewhere, and
  // Expat drops references to what may be declared there without a word: from numbers, too.
  void refuse_unread_entities() const {
    if (!unread_declarations_) {
      return;
    }
    std::int64_t offset = 0;
    std::uint64_t size = 0;
    const char* const context = XML_GetInputContext64(parser_.get(), &offset, &size);
    const std::string_view rest(context + offset, size - static_cast<std::uint64_t>(offset));
    if (rest.substr(0, 2).find('\0') != std::string_view::npos) {
      refuse("declarations of the document's type in UTF-16");
    }
    char quote = 0;
    for (std::size_t at = 0; at < rest.size() && (quote != 0 || rest[at] != '>'); ++at) {
      if (rest[at] == quote) {
        quote = 0;
      } else if (quote == 0 && (rest[at] == '"' || rest[at] == '\'')) {
        quote = rest[at];
      } else if (rest[at] == '&' && !needs_no_declaration(rest.substr(at + 1))) {
        refuse("an entity reference in a document with declarations of its type");
      }
    }
  }

  text_position here() const {
    return {XML_GetCurrentLineNumber64(parser_.get()) + scanned_lines_,
            static_cast<std::uint32_t>(XML_GetCurrentColumnNumber64(parser_.get()) + 1)};
  }

  [[noreturn]] void refuse(const std::string& reason) const { refuse_xml(name_, here(), reason); }

  void start(std::string_view element, const attributes& given) {
    switch (inside_) {
      case inside::nothing:
        expect(element, "superblock", "the document's element");
        start_superblock(given);
        return;
      case inside::superblock:
        if (element == "writeset") {
          start_writeset(given);
        } else {
          expect(element, "era_array", "inside <superblock>");
          start_era_array(given);
        }
        return;
      case inside::writeset:
        if (element == "bit") {
          start_bit(given);
        } else {
          expect(element, "marked", "inside <writeset>");
          start_marked(given);
        }
        return;
      case inside::era_array:
        expect(element, "era", "inside <era_array>");
        start_era(given);
        return;
      case inside::leaf:
        refuse("<" + shortened(element) + "> where no element belongs");
    }
  }

  void expect(std::string_view element, std::string_view wanted, const std::string& where) const {
    if (element != wanted) {
      refuse("<" + shortened(element) + "> does not belong " +
             (inside_ == inside::nothing ? "here; " + where + " is <superblock>" : where));
    }
  }

  void start_superblock(const attributes& given) {
    check_names("superblock", given, {"uuid", "block_size", "nr_blocks", "current_era"});
    if (given.find("uuid") == nullptr) {
      missing("superblock", "uuid");
    }
    const std::uint32_t block_size = number("superblock", given, "block_size", UINT32_MAX);
    if (!is_data_block_size(block_size)) {
      refuse("block_size " + std::to_string(block_size) +
             " is not a positive multiple of 8 sectors");
    }
    nr_blocks_ = number("superblock", given, "nr_blocks", max_data_blocks);
    current_era_ = number("superblock", given, "current_era", UINT32_MAX);
    if (!fits_a_device(block_size, nr_blocks_)) {
      refuse("so many blocks of so many sectors are more bytes than a device can have");
    }
    if (nr_blocks_ == 0 && current_era_ > 0) {
      refuse("nr_blocks is 0, but current_era is not: once an era has begun, a device has blocks");
    }
    events_->begin({block_size, nr_blocks_, current_era_});
    inside_ = inside::superblock;
  }

  void start_writeset(const attributes& given) {
    check_names("writeset", given, {"era", "nr_bits"});
    const std::uint32_t era = number("writeset", given, "era", UINT32_MAX);
    check_era(era);
    nr_bits_ = number("writeset", given, "nr_bits", UINT32_MAX);
    events_->begin_writeset(era, nr_bits_, here());
    inside_ = inside::writeset;
  }

  void start_era_array(const attributes& given) {
    check_names("era_array", given, {});
    had_era_array_ = true;
    inside_ = inside::era_array;
  }

  void start_bit(const attributes& given) {
    check_names("bit", given, {"block", "value"});
    const std::uint32_t block = number("bit", given, "block", UINT32_MAX);
    const char* const value = given.find("value");
    if (value == nullptr) {
      missing("bit", "value");
    }
    const std::string_view text = value;
    if (text != "true" && text != "false") {
      refuse("value is " + quoted(text) + ", not \"true\" or \"false\"");
    }
    check_bits(block, 1);
    events_->bits({block, 1, text == "true" ? 1U : 0U, here()});
    begin_leaf(inside::writeset);
  }

  void start_marked(const attributes& given) {
    check_names("marked", given, {"block_begin", "len"});
    const std::uint32_t first = number("marked", given, "block_begin", UINT32_MAX);
    const std::uint32_t count = number("marked", given, "len", UINT32_MAX);
    check_bits(first, count);
    if (count > 0) {
      events_->bits({first, count, 1, here()});
    }
    begin_leaf(inside::writeset);
  }

  void start_era(const attributes& given) {
    check_names("era", given, {"block", "era"});
    const std::uint32_t block = number("era", given, "block", UINT32_MAX);
    if (block >= nr_blocks_) {
      refuse("block " + std::to_string(block) + " of a device with nr_blocks " +
             std::to_string(nr_blocks_));
    }
    const std::uint32_t era = number("era", given, "era", UINT32_MAX);
    check_era(era);
    events_->eras({block, 1, era, here()});
    begin_leaf(inside::era_array);
  }

  void begin_leaf(inside parent) {
    leaf_parent_ = parent;
    inside_ = inside::leaf;
  }

  void end() {
    switch (inside_) {
      case inside::leaf:
        inside_ = leaf_parent_;
        return;
      case inside::writeset:
        events_->end_writeset();
        inside_ = inside::superblock;
        return;
      case inside::era_array:
        inside_ = inside::superblock;
        return;
      case inside::superblock:
        if (!had_era_array_) {
          events_->remark(name_ + ": no <era_array>; the era array is taken as all 0");
        }
        inside_ = inside::nothing;
        return;
      case inside::nothing:
        return;
    }
  }

  void check_era(std::uint32_t era) const {
    if (era > current_era_) {
      refuse("era " + std::to_string(era) + " is later than current_era " +
             std::to_string(current_era_));
    }
  }

  void check_bits(std::uint64_t first, std::uint64_t count) const {
    if (first + count > nr_bits_) {
      refuse("block " + std::to_string(count > 1 ? first + count - 1 : first) +
             " in a writeset with nr_bits " + std::to_string(nr_bits_));
    }
  }

  [[noreturn]] void missing(const char* element, const char* attribute) const {
    refuse(std::string("<") + element + "> has no attribute " + attribute);
  }

  std::uint32_t number(const char* element, const attributes& given, const char* name,
                       std::uint64_t max) const {
    const char* const text = given.find(name);
    if (text == nullptr) {
      missing(element, name);
    }
    // 0.9.0 takes a plus sign.
    const auto value = base::parse_number(text[0] == '+' ? text + 1 : text, max);
    if (!value) {
      refuse(std::string(name) + " is " + quoted(text) + ", not a number from 0 to " +
             std::to_string(max));
    }
    return static_cast<std::uint32_t>(*value);
  }

  void check_names(const char* element, const attributes& given,
                   std::initializer_list<std::string_view> known) {
    for (const char** at = given.begin(); *at != nullptr; at += 2) {
      if (std::find(known.begin(), known.end(), *at) == known.end()) {
        note_unknown(element, *at);
      }
    }
  }

  void note_unknown(const char* element, const char* attribute) {
    if (std::strlen(attribute) > longest_unknown_name) {
      refuse("an unknown attribute with a name of more than " +
             std::to_string(longest_unknown_name) + " bytes");
    }
    if (!unknown_names_.insert(std::string(element) + " " + attribute).second) {
      return;
    }
    if (unknown_names_.size() > most_unknown_names) {
      refuse("more than " + std::to_string(most_unknown_names) + " different unknown attributes");
    }
    if (unknown_names_.size() <= most_remarks) {
      events_->remark(name_ + ": line " + std::to_string(here().line) + ": attribute " +
                      shortened(attribute) + " of <" + element + "> is unknown and ignored");
    }
  }

  std::string name_;
  base::input& input_;
  std::vector<char> buffer_ = std::vector<char>(chunk_bytes);
  std::size_t kept_ = 0;  // of the buffer: the beginning of a line that was not read in full
  bool ended_ = false;
  xml_events* events_ = nullptr;
  bool scanning_;
  std::unique_ptr<XML_ParserStruct, free_parser> parser_;
  std::exception_ptr failure_;
  fed_text fed_;                     // to Expat
  std::uint64_t scanned_lines_ = 0;  // that the scanner took instead
  bool zeros_follow_ = false;        // after the document
  inside inside_ = inside::nothing;
  inside leaf_parent_ = inside::nothing;
  bool had_era_array_ = false;
  bool doctype_ = false;
  std::optional<std::int64_t> doctype_begin_;  // while its end has not been met
  bool unread_declarations_ = false;
  std::uint32_t nr_blocks_ = 0;
  std::uint32_t current_era_ = 0;
  std::uint32_t nr_bits_ = 0;
  std::uint64_t bytes_ = 0;              // read so far
  std::set<std::string> unknown_names_;  // of attributes, each after its element's name
};

// 0 if it is not known.
std::uint64_t length_of(const base::text_source& source) {
  const struct stat info = base::stat_of(source.fd, source.name);
  return S_ISREG(info.st_mode) ? static_cast<std::uint64_t>(info.st_size) : 0;
}

}  // namespace

void refuse_xml(const std::string& name, text_position at, const std::string& reason) {
  if (at.line == 0) {
    throw base::data_error(name + ": " + reason);
  }
  throw base::data_error(name + ": line " + std::to_string(at.line) + ", column " +
                         std::to_string(at.column) + ": " + reason);
}

void read_xml(const base::text_source& source, contents_sink& sink,
              const std::function<void(const std::string&)>& remark, base::progress& progress,
              bool scanning) {
  base::input input(source.fd, source.name);
  reader parsing(source.name, input, scanning);
  base::conveyor<xml_events> parts(4, [&](xml_events& part) { return parsing.read_part(part); });
  // Whatever ends this: the parser must not go on waiting for a pipe.
  const auto stop = [](base::input* waited_for) { waited_for->stop(); };
  const std::unique_ptr<base::input, void (*)(base::input*)> stop_at_exit(&input, stop);
  progress.begin("reading", 1);
  const std::uint64_t length = length_of(source);
  try {
    while (const auto part = parts.next()) {
      part->replay(sink, remark);
      progress.at(part->document_bytes, length);
    }
    base::require_unchanged(source);
    sink.end();
  } catch (const contents_conflict& conflict) {
    refuse_xml(source.name, conflict.at(), conflict.what());
  }
}

}  // namespace era
