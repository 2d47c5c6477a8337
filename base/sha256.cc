#include "base/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <new>

namespace base {

sha256::sha256() : context_(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free) {
  if (!context_ || ::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
}

void sha256::add(std::string_view piece) {
  if (::EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) != 1) {
    throw std::bad_alloc();
  }
}

std::string sha256::hexadecimal() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned int length = 0;
  if (::EVP_DigestFinal_ex(context_.get(), bytes.data(), &length) != 1) {
    throw std::bad_alloc();
  }
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    text += "0123456789abcdef"[bytes[i] >> 4];
    text += "0123456789abcdef"[bytes[i] & 15];
  }
  return text;
}

}  // namespace base
