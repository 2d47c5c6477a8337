// Reads an XML document whose elements hold nothing but elements and attributes, and hands them
// over one by one. Expat decides what is XML.
//
// For documents that are small, or read so seldom that Expat's speed is enough. Memory does not
// depend on the length of the document: a tag or comment is bounded, and there is no document type,
// so that nothing is declared. Not thread safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/text_source.h"

namespace base {

// The attributes of one element, valid while it is handed over. What they lack or say wrong is
// thrown as data_error without a place.
class xml_element {
 public:
  xml_element(const char* name, const char** attributes) : name_(name), attributes_(attributes) {}

  std::string_view name() const { return name_; }

  // Refuses an attribute with any other name: Expat keeps every name for good.
  void require_known(std::initializer_list<std::string_view> names) const;

  std::string_view text(std::string_view attribute) const;
  std::uint64_t number(std::string_view attribute, std::uint64_t max) const;
  bool boolean(std::string_view attribute) const;

 private:
  const char* find(std::string_view attribute) const;

  const char* name_;
  const char** attributes_;
};

class xml_handler {
 public:
  virtual ~xml_handler() = default;

  // What these throw ends the reading. A data_error is about the document, and gets its place.
  virtual void start(const xml_element& element) = 0;
  virtual void end() = 0;
};

// "an element that does not belong here": what a handler throws for it.
[[noreturn]] void refuse_element(const xml_element& found, const std::string& expected);

// Throws data_error, "FILE: line 3, column 9: reason", when the document is refused, cut off or
// followed by anything but blanks, and when its source was changed meanwhile; io_error when it
// can't be read; and what the handler throws.
void read_xml_document(text_pieces& from, xml_handler& handler);

}  // namespace base
