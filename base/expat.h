// Expat, with the calls that count in 64 bits. They came with 2.9, which deprecates the others; for
// an older version they are made here.
#pragma once

#include <expat.h>

#include <cstdint>

#if XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION < 9

inline std::uint64_t XML_GetCurrentLineNumber64(XML_Parser parser) {
  return XML_GetCurrentLineNumber(parser);
}

inline std::uint64_t XML_GetCurrentColumnNumber64(XML_Parser parser) {
  return XML_GetCurrentColumnNumber(parser);
}

inline std::int64_t XML_GetCurrentByteIndex64(XML_Parser parser) {
  return XML_GetCurrentByteIndex(parser);
}

inline std::uint64_t XML_GetCurrentByteCount64(XML_Parser parser) {
  return static_cast<std::uint64_t>(XML_GetCurrentByteCount(parser));
}

inline const char* XML_GetInputContext64(XML_Parser parser, std::int64_t* offset,
                                         std::uint64_t* size) {
  int short_offset = 0;
  int short_size = 0;
  const char* const context = XML_GetInputContext(parser, &short_offset, &short_size);
  *offset = short_offset;
  *size = static_cast<std::uint64_t>(short_size);
  return context;
}

#endif
