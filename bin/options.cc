#include "bin/options.h"

namespace cli {

std::vector<option> all_options(const command& spec) {
  std::vector<option> all;
  for (const option& o : spec.options) {
    if (o.name != nullptr) {
      all.push_back(o);
    }
  }
  all.push_back({'h', "help", nullptr, "print this help and exit"});
  all.push_back({'V', "version", nullptr, "print the version and exit"});
  return all;
}

const option* find_option(const std::string& spelt, const std::vector<option>& options) {
  for (const option& o : options) {
    if (spelt == std::string("--") + o.name ||
        (o.short_name != 0 && spelt == std::string("-") + o.short_name) ||
        (o.alias != nullptr && spelt == std::string("--") + o.alias)) {
      return &o;
    }
  }
  return nullptr;
}

}  // namespace cli
