#include "cache/mapping_reader.h"

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "cache/superblock.h"
#include "persistent-data/array.h"

namespace cache {
namespace {

constexpr std::uint64_t valid_flag = 1;
constexpr std::uint64_t dirty_flag = 2;  // of version 1
constexpr unsigned flag_bits = 16;

constexpr const char* mapping_array = "mapping array";
constexpr const char* dirty_bitset = "dirty bitset";

[[noreturn]] void refuse(const pd::block_device& device, block_nr where, const char* structure,
                         const std::string& what) {
  throw base::data_error(device.name() + ": block " + std::to_string(where) + " (" + structure +
                         "): " + what);
}

// Finds the blocks of one array.
class index final : public pd::index_visitor {
 public:
  index(const pd::block_device& device, const char* structure, const pd::array_root& array)
      : device_(device), structure_(structure), array_(array) {}

  void array_block_at(pd::array_block_ref ref) override {
    requests_.push_back({ref, array_.entries(ref.key), array_.value_size, 0});
  }

  void damaged(const pd::damage& found) override {
    switch (found.kind) {
      case pd::damage_kind::array_block_stale:  // the kernel leaves such when a cache shrinks
      case pd::damage_kind::node_underfull:
      case pd::damage_kind::node_odd_maximum:
        return;  // nothing is lost by these
      default:
        refuse(device_, found.block, structure_, found.what);
    }
  }

  std::vector<pd::array_block_request> take() { return std::move(requests_); }

 private:
  const pd::block_device& device_;
  const char* structure_;
  const pd::array_root& array_;
  std::vector<pd::array_block_request> requests_;
};

// Reads all blocks of one array; what it makes of their values is for those that derive from it.
class array_values : public pd::array_block_visitor {
 public:
  array_values(const pd::block_device& device, const char* structure)
      : device_(device), structure_(structure) {}

  void read(pd::walk_context& walk, const pd::array_root& array) {
    // Before memory is taken for as many as a hostile number says.
    if (array.nr_array_blocks() > walk.reader.usable()) {
      refuse(device_, 0, "superblock",
             std::string("the ") + structure_ + " would need " +
                 std::to_string(array.nr_array_blocks()) + " blocks, but the device has " +
                 std::to_string(walk.reader.usable()));
    }
    prepare(array);
    index blocks(device_, structure_, array);
    pd::read_indexes(walk, {&array, 1}, blocks);
    pd::read_in_disk_order(walk.reader, blocks.take(), *this);
  }

  void damaged(const pd::array_block_request& request, const pd::damage& found) override {
    refuse_in(request, found.what);
  }

 protected:
  virtual void prepare(const pd::array_root& array) = 0;

  [[noreturn]] void refuse_in(const pd::array_block_request& request,
                              const std::string& what) const {
    refuse(device_, request.ref.block, structure_, what);
  }

 private:
  const pd::block_device& device_;
  const char* structure_;
};

class dirty_bits final : public array_values {
 public:
  explicit dirty_bits(const pd::block_device& device) : array_values(device, dirty_bitset) {}

  void values(const pd::array_block_request& request, const std::byte* data) override {
    const std::size_t first = std::size_t{request.ref.key} * pd::array_capacity(pd::word_size);
    for (std::size_t i = 0; i < request.entries; ++i) {
      words_[first + i] = base::get_le64(data + pd::word_size * i);
    }
  }

  bool contains(std::uint64_t cache_block) const {
    const std::uint64_t word = cache_block / pd::bits_per_word;
    return word < words_.size() && (words_[word] >> cache_block % pd::bits_per_word & 1) != 0;
  }

 protected:
  void prepare(const pd::array_root& array) override { words_.resize(array.nr_elements); }

 private:
  std::vector<std::uint64_t> words_;
};

class mapping_values final : public array_values {
 public:
  mapping_values(const pd::block_device& device, const superblock& from, const dirty_bits& dirty,
                 mapping_sink& sink)
      : array_values(device, mapping_array),
        all_dirty_(!from.was_shut_down_cleanly()),
        dirty_(dirty),
        sink_(sink) {}

  void values(const pd::array_block_request& request, const std::byte* data) override {
    const std::uint32_t first = request.ref.key * pd::array_capacity(sizeof(std::uint64_t));
    found_.clear();
    for (std::uint32_t i = 0; i < request.entries; ++i) {
      if (const std::uint64_t value = base::get_le64(data + sizeof value * i); value != 0) {
        add(request, first + i, value);
      }
    }
    try {
      sink_.add(found_);
    } catch (const mapping_conflict& conflict) {
      refuse_in(request, conflict.what());
    }
  }

 protected:
  void prepare(const pd::array_root&) override {}

 private:
  void add(const pd::array_block_request& request, std::uint32_t cache_block, std::uint64_t value) {
    const std::uint64_t flags = value & ((std::uint64_t{1} << flag_bits) - 1);
    if ((flags & ~(valid_flag | dirty_flag)) != 0) {
      refuse_in(request, "cache block " + std::to_string(cache_block) +
                             " has a mapping with unknown flags " + std::to_string(flags));
    }
    if ((flags & valid_flag) == 0) {
      refuse_in(request, "cache block " + std::to_string(cache_block) +
                             " has a mapping that is neither valid nor 0");
    }
    const bool is_dirty = all_dirty_ || (flags & dirty_flag) != 0 || dirty_.contains(cache_block);
    found_.push_back({cache_block, value >> flag_bits, is_dirty});
  }

  bool all_dirty_;
  const dirty_bits& dirty_;
  mapping_sink& sink_;
  std::vector<mapping> found_;  // in the present array block
};

}  // namespace

void read_mappings(pd::block_device& device, mapping_sink& sink) {
  const superblock from = read_superblock(device);
  sink.begin({from.data_block_size, from.nr_cache_blocks, from.was_shut_down_cleanly()});
  pd::block_reader reader(device);
  pd::walk_context walk(reader);
  dirty_bits dirty(device);
  if (from.version == 2 && from.was_shut_down_cleanly()) {
    dirty.read(walk, pd::bitset_root(from.dirty_root, from.nr_cache_blocks));
  }
  mapping_values values(device, from, dirty, sink);
  values.read(walk, {from.mapping_root, {sizeof(std::uint64_t), from.nr_cache_blocks}});
  device.require_unchanged();
}

}  // namespace cache
