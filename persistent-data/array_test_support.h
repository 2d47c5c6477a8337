// What tests of arrays have in common: arrays of known values, and a sink that remembers what comes
// back of them. Not thread safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "persistent-data/array_builder.h"
#include "persistent-data/metadata_test_support.h"

namespace pd::test {

// An element that says its place.
inline std::uint64_t element_for(std::uint64_t i, std::uint32_t value_size) {
  const std::uint64_t element = (i + 1) * 0x9E3779B97F4A7C15;
  return value_size == 4 ? element & UINT32_MAX : element;
}

inline std::uint64_t element_at(const std::byte* values, std::uint64_t i,
                                std::uint32_t value_size) {
  return value_size == 4 ? base::get_le32(values + 4 * i) : base::get_le64(values + 8 * i);
}

inline void put_element(std::byte* values, std::uint64_t i, std::uint32_t value_size,
                        std::uint64_t element) {
  if (value_size == 4) {
    base::put_le32(values + 4 * i, static_cast<std::uint32_t>(element));
  } else {
    base::put_le64(values + 8 * i, element);
  }
}

inline array_root build_array(bulk_writer& writer, std::uint32_t value_size,
                              std::uint64_t nr_elements) {
  const array_shape shape{value_size, nr_elements};
  array_builder builder(writer, shape);
  const std::uint64_t capacity = array_capacity(value_size);
  for (std::uint64_t i = 0; i < nr_elements; ++i) {
    put_element(builder.values_of(i / capacity), i % capacity, value_size,
                element_for(i, value_size));
  }
  return {builder.finish(), shape};
}

// By place; those that did not come back are empty.
using elements_read = std::vector<std::optional<std::uint64_t>>;

// Reads arrays as a tool does: the indexes, then the blocks that they name.
class array_recorder final : public index_visitor, public array_block_visitor {
 public:
  void begin_array(std::size_t i) override {
    present_ = i;
    begun.push_back(i);
  }

  void array_block_at(array_block_ref ref) override {
    const array_root& array = arrays_[present_];
    EXPECT_LT(ref.key, array.nr_array_blocks());
    EXPECT_TRUE(refs.empty() || requests_.back().tag != present_ || refs.back().key < ref.key);
    refs.push_back(ref);
    requests_.push_back(
        {ref, array.entries(ref.key), array.value_size, static_cast<std::uint32_t>(present_)});
  }

  void damaged(const damage& d) override { found.push_back(d); }

  void values(const array_block_request& request, const std::byte* data) override {
    const std::uint64_t first = std::uint64_t{request.ref.key} * array_capacity(request.value_size);
    elements_read& to = elements[request.tag];
    to.resize(std::max<std::size_t>(to.size(), first + request.entries));
    for (std::uint64_t i = 0; i < request.entries; ++i) {
      to[first + i] = element_at(data, i, request.value_size);
    }
    order.push_back(request.ref.key);
  }

  void damaged(const array_block_request& request, const damage& d) override {
    EXPECT_EQ(request.ref.block, d.block);
    found.push_back(d);
  }

  void read(walk_context& context, std::span<const array_root> arrays) {
    arrays_ = arrays;
    read_indexes(context, arrays, *this);
    array_block_reader(context.reader).read(requests_, *this);
  }

  std::vector<damage> losses() const {
    std::vector<damage> all;
    std::copy_if(found.begin(), found.end(), std::back_inserter(all), loses);
    return all;
  }

  std::vector<std::size_t> begun;
  std::vector<array_block_ref> refs;
  std::vector<std::uint32_t> order;  // keys of the blocks as they were handed over
  std::vector<damage> found;
  std::map<std::uint64_t, elements_read> elements;  // by array

 private:
  std::span<const array_root> arrays_;
  std::size_t present_ = 0;
  std::vector<array_block_request> requests_;
};

inline array_recorder read_arrays(block_device& device, std::span<const array_root> arrays) {
  block_reader reader(device);
  walk_context context(reader);
  array_recorder recorder;
  recorder.read(context, arrays);
  return recorder;
}

inline array_recorder read_array(block_device& device, const array_root& array) {
  return read_arrays(device, {&array, 1});
}

// The elements that came back are right, and they are all but the lost ones.
inline void expect_elements(const array_recorder& got, const array_root& array) {
  const auto losses = got.losses();
  const auto read = got.elements.find(0);
  const elements_read found = read == got.elements.end() ? elements_read() : read->second;
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < array.nr_elements; ++i) {
    const bool lost = std::any_of(losses.begin(), losses.end(), [&](const damage& d) {
      return d.first_lost <= i && i < d.end_lost;
    });
    const bool here = i < found.size() && found[i];
    wrong += here == lost;
    wrong += here && found[i] != element_for(i, array.value_size);
  }
  EXPECT_EQ(wrong, 0U);
  for (const damage& d : losses) {
    EXPECT_LE(d.end_lost, array.nr_elements) << text_of(d);
  }
}

}  // namespace pd::test
