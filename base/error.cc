#include "base/error.h"

#include <cstring>

namespace base {

std::string system_message(const std::string& what, int error_number, const std::string& advice) {
  std::string message = what + ": " + std::strerror(error_number);
  if (!advice.empty()) {
    message += "\n" + advice;
  }
  return message;
}

std::string first_line(const std::string& message) {
  return message.substr(0, message.find('\n'));
}

}  // namespace base
