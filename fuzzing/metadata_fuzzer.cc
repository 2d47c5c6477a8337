// Metadata of any kind (image.h says how it is written down), held against invariants.h.
#include "fuzzing/invariants.h"
#include "fuzzing/mutator.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

std::size_t write_down(const fuzz::image& what, std::uint8_t* into, std::size_t max_size) {
  const std::vector<std::uint8_t> bytes = fuzz::encode_image(what);
  if (bytes.size() > max_size) {
    return 0;
  }
  std::copy(bytes.begin(), bytes.end(), into);
  return bytes.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::check_metadata(fuzz::device_of(fuzz::decode_image({data, size})));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  fuzz::random_source random(seed);
  if (random() % 16 == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  fuzz::image what = fuzz::decode_image({data, size});
  for (std::uint32_t left = 1 + random() % 4; left > 0; --left) {
    fuzz::mutate(what, random);
  }
  const std::size_t mutated = write_down(what, data, max_size);
  return mutated == 0 ? size : mutated;
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t one_size,
                                                 const std::uint8_t* other, std::size_t other_size,
                                                 std::uint8_t* into, std::size_t max_size,
                                                 unsigned seed) {
  fuzz::random_source random(seed);
  fuzz::image what = fuzz::decode_image({one, one_size});
  fuzz::mix(what, fuzz::decode_image({other, other_size}), random);
  return write_down(what, into, max_size);
}
