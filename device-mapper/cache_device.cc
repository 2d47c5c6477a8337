#include "device-mapper/cache_device.h"

#include <algorithm>

#include "device-mapper/word_reader.h"

namespace dm {
namespace {

std::string not_a_cache(const std::string& name, const char* kind) {
  return name + ": its " + kind + " is not that of a cache as it is known";
}

}  // namespace

bool cache_status::has_feature(const std::string& name) const {
  return std::find(features.begin(), features.end(), name) != features.end();
}

cache_table parse_cache_table(const std::string& name, const std::string& words) {
  word_reader reader(not_a_cache(name, "table"), words);
  cache_table table;
  table.metadata = reader.next();
  table.fast = reader.next();
  table.origin = reader.next();
  table.block_size = reader.number();
  return table;
}

cache_status parse_cache_status(const std::string& name, const std::string& words) {
  cache_status status;
  if (words.starts_with("Fail") || words.starts_with("Error")) {
    status.has_failed = true;
    return status;
  }
  word_reader reader(not_a_cache(name, "status"), words);
  reader.skip(1);  // metadata block size
  reader.pair();   // metadata blocks
  reader.skip(1);  // cache block size
  const number_pair blocks = reader.pair();
  status.nr_mapped = blocks.first;
  status.nr_blocks = blocks.second;
  reader.skip(6);  // hits and misses, demotions and promotions
  status.nr_dirty = reader.number();
  status.features = reader.counted_words();
  reader.counted_words();  // of the core
  reader.skip(1);          // the policy
  reader.counted_words();
  status.is_read_only = reader.next() != "rw";
  status.needs_check = reader.next() == "needs_check";
  return status;
}

}  // namespace dm
