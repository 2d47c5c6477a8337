// Metadata of a cache (image.h says how it is written down; block 0 is sealed as its superblock),
// and the same bytes as XML: what is accepted makes sense, and the stale blocks are right.
#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "cache/mapping_reader.h"
#include "cache/mapping_xml.h"
#include "cache/superblock.h"
#include "era/rollback/stale_blocks.h"
#include "fuzzing/image.h"
#include "fuzzing/invariants.h"
#include "fuzzing/memory_file.h"

namespace {

class recorder final : public cache::mapping_sink {
 public:
  void begin(const cache::cache_facts& given) override { facts = given; }
  void add(std::span<const cache::mapping> found) override {
    for (const cache::mapping& one : found) {
      fuzz::require(one.cache_block < facts.nr_blocks, "a cache block is one of the cache");
      fuzz::require(all.emplace(one.cache_block, one).second, "a cache block is said once");
    }
  }

  std::string xml() const {
    std::string text = "<superblock block_size=\"" + std::to_string(facts.block_size) +
                       "\" nr_cache_blocks=\"" + std::to_string(facts.nr_blocks) +
                       "\">\n<mappings>\n";
    for (const auto& [block, one] : all) {
      text += "<mapping cache_block=\"" + std::to_string(block) + "\" origin_block=\"" +
              std::to_string(one.origin_block) + "\" dirty=\"false\"/>\n";
    }
    return text + "</mappings>\n</superblock>\n";
  }

  bool has_doubles() const {
    std::set<std::uint64_t> origin;
    for (const auto& [block, one] : all) {
      if (!origin.insert(one.origin_block).second) {
        return true;
      }
    }
    return false;
  }

  cache::cache_facts facts;
  std::map<std::uint32_t, cache::mapping> all;
};

// Every third block of a device, in a size that the input decides.
era::changed_blocks changed(std::size_t size) {
  constexpr std::uint64_t nr_blocks = 3000;
  std::vector<std::uint64_t> words(nr_blocks / 64 + 1);
  for (std::uint64_t i = 0; i < nr_blocks; i += 3) {
    words[i / 64] |= std::uint64_t{1} << i % 64;
  }
  const std::uint64_t block_size = 8 * (1 + size % 40);
  return {"list", block_size, era::written_blocks(std::move(words), nr_blocks),
          nr_blocks * block_size, std::nullopt};
}

std::uint64_t count_stale(const recorder& cache, std::uint64_t block_size) {
  std::uint64_t count = 0;
  for (const auto& [block, one] : cache.all) {
    const std::uint64_t first = one.origin_block * cache.facts.block_size / block_size;
    const std::uint64_t last = ((one.origin_block + 1) * cache.facts.block_size - 1) / block_size;
    const std::uint64_t next_written = (first + 2) / 3 * 3;
    count += next_written <= last && next_written < 3000 ? 1 : 0;
  }
  return count;
}

template <typename Read>
bool accepted(Read read) {
  try {
    read();
  } catch (const base::data_error&) {
    return false;
  }
  return true;
}

bool read_xml(std::string_view text, cache::mapping_sink& sink) {
  fuzz::memory_file file;
  file.put(text);
  const base::text_source source{file.fd(), "xml"};
  base::text_pieces pieces(source);
  return accepted([&] { cache::read_mapping_xml(pieces, sink); });
}

void check(const recorder& cache, const era::changed_blocks& list, bool was_accepted,
           era::stale_finder& finder) {
  const std::uint64_t end = base::ceil_div(*list.origin_sectors, cache.facts.block_size);
  bool fits = true;
  for (const auto& [block, one] : cache.all) {
    fits = fits && one.origin_block < end;
  }
  fuzz::require(was_accepted == (fits && !cache.has_doubles()),
                "mappings are refused that are double or beyond the end, and no others");
  if (was_accepted) {
    const era::stale_blocks found = finder.finish();
    fuzz::require(found.nr_mappings == cache.all.size(), "no mapping is left out");
    fuzz::require(found.nr_stale == count_stale(cache, list.block_size),
                  "those are stale that were written");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::sparse_device device = fuzz::device_of(fuzz::decode_image({data, size}));
  pd::seal_block(cache::superblock_block, 0, device.block(0));
  const era::changed_blocks list = changed(size);
  recorder cache;
  if (accepted([&] { cache::read_mappings(device, cache); })) {
    era::stale_finder finder(list);
    const bool fits = accepted([&] { cache::read_mappings(device, finder); });
    check(cache, list, fits, finder);
    recorder again;
    fuzz::require(read_xml(cache.xml(), again), "the XML of mappings is read");
    fuzz::require(again.xml() == cache.xml(), "XML says the same");
  }
  era::stale_finder finder(list);
  static_cast<void>(read_xml({reinterpret_cast<const char*>(data), size}, finder));
  return 0;
}
