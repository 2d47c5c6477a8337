// The SHA-256 of a text that comes in pieces. Not thread safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace base {

class sha256 {
 public:
  // Throws std::bad_alloc.
  sha256();

  void add(std::string_view piece);

  // Of all pieces, in hexadecimal. Nothing may follow.
  std::string hexadecimal();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

}  // namespace base
