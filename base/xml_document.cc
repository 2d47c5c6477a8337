#include "base/xml_document.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <new>

#include "base/error.h"
#include "base/expat.h"
#include "base/number.h"

namespace base {
namespace {

constexpr std::int64_t longest_token = 1024 * 1024;

class document {
 public:
  document(text_pieces& from, xml_handler& handler)
      : from_(from), handler_(handler), parser_(XML_ParserCreate(nullptr)) {
    if (!parser_) {
      throw std::bad_alloc();
    }
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser_.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser_.get(), on_doctype);
  }

  void read() {
    for (std::string_view piece = from_.next(); !piece.empty(); piece = from_.next()) {
      parse(piece, false);
    }
    parse({}, true);
  }

 private:
  struct free_parser {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
  };

  void parse(std::string_view piece, bool at_end) {
    const XML_Status status = XML_Parse(parser_.get(), piece.data(), static_cast<int>(piece.size()),
                                        at_end ? XML_TRUE : XML_FALSE);
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    if (status != XML_STATUS_OK) {
      refuse_what_expat_refused();
    }
    bytes_ += static_cast<std::int64_t>(piece.size());
    if (bytes_ - std::max<std::int64_t>(XML_GetCurrentByteIndex64(parser_.get()), 0) >
        longest_token) {
      refuse("a tag or comment of more than a million bytes");
    }
  }

  [[noreturn]] void refuse_what_expat_refused() const {
    const XML_Error error = XML_GetErrorCode(parser_.get());
    if (error == XML_ERROR_NO_MEMORY) {
      throw std::bad_alloc();
    }
    refuse(XML_ErrorString(error));
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw data_error(from_.name() + ": line " +
                     std::to_string(XML_GetCurrentLineNumber64(parser_.get())) + ", column " +
                     std::to_string(XML_GetCurrentColumnNumber64(parser_.get()) + 1) + ": " +
                     reason);
  }

  // Exceptions must not pass through Expat: they are kept and thrown again after it.
  template <typename Action>
  void guarded(Action action) {
    if (failure_) {
      return;
    }
    try {
      try {
        action();
      } catch (const data_error& wrong) {
        refuse(wrong.what());
      }
    } catch (...) {
      failure_ = std::current_exception();
      XML_StopParser(parser_.get(), XML_FALSE);
    }
  }

  static void XMLCALL on_start(void* self, const char* name, const char** attributes) {
    auto* const d = static_cast<document*>(self);
    d->guarded([&] { d->handler_.start(xml_element(name, attributes)); });
  }
  static void XMLCALL on_end(void* self, const char*) {
    auto* const d = static_cast<document*>(self);
    d->guarded([&] { d->handler_.end(); });
  }
  static void XMLCALL on_text(void* self, const char* text, int size) {
    const std::string_view given(text, static_cast<std::size_t>(size));
    if (given.find_first_not_of(" \t\r\n") != std::string_view::npos) {
      auto* const d = static_cast<document*>(self);
      d->guarded([&] { throw data_error("text that is in no tag: " + quoted(given)); });
    }
  }
  static void XMLCALL on_doctype(void* self, const char*, const char*, const char*, int) {
    auto* const d = static_cast<document*>(self);
    d->guarded([] { throw data_error("a document type is not accepted"); });
  }

  text_pieces& from_;
  xml_handler& handler_;
  std::unique_ptr<XML_ParserStruct, free_parser> parser_;
  std::int64_t bytes_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

const char* xml_element::find(std::string_view attribute) const {
  for (const char** at = attributes_; *at != nullptr; at += 2) {
    if (attribute == at[0]) {
      return at[1];
    }
  }
  return nullptr;
}

void xml_element::require_known(std::initializer_list<std::string_view> names) const {
  for (const char** at = attributes_; *at != nullptr; at += 2) {
    if (std::find(names.begin(), names.end(), *at) == names.end()) {
      throw data_error("attribute " + quoted(*at) + " of <" + name_ + "> is unknown");
    }
  }
}

std::string_view xml_element::text(std::string_view attribute) const {
  const char* const value = find(attribute);
  if (value == nullptr) {
    throw data_error(std::string("<") + name_ + "> has no attribute " + std::string(attribute));
  }
  return value;
}

std::uint64_t xml_element::number(std::string_view attribute, std::uint64_t max) const {
  const std::string_view given = text(attribute);
  const auto value = parse_number(given, max);
  if (!value) {
    throw data_error(std::string(attribute) + " is " + quoted(given) + ", not a number from 0 to " +
                     std::to_string(max));
  }
  return *value;
}

bool xml_element::boolean(std::string_view attribute) const {
  const std::string_view given = text(attribute);
  if (given != "true" && given != "false") {
    throw data_error(std::string(attribute) + " is " + quoted(given) +
                     ", not \"true\" or \"false\"");
  }
  return given == "true";
}

void refuse_element(const xml_element& found, const std::string& expected) {
  throw data_error("<" + std::string(found.name().substr(0, 60)) + "> where " + expected +
                   " is expected");
}

void read_xml_document(text_pieces& from, xml_handler& handler) {
  document(from, handler).read();
  from.require_unchanged();
}

}  // namespace base
