// What the metadata of a benchmark holds: eras and writesets made up from a seed, piece by piece in
// bounded memory. An image and XML written from the same contents say the same, however large they
// are. Integer arithmetic alone, so a seed means the same on every machine. Not thread safe.
#pragma once

#include <cstdint>
#include <span>

#include "era/contents.h"

namespace bench {

// Where the writes of an era went.
enum class pattern {
  random,  // each block by itself
  runs,    // neighbouring blocks together, 64 on average
  hot      // nine writes of ten to a tenth of the device, the same tenth in every era
};

struct contents {
  std::uint32_t nr_blocks = 1000000;
  std::uint32_t block_size = 128;   // sectors
  std::uint32_t current_era = 100;  // closed
  std::uint32_t nr_writesets = 8;   // not yet digested; of the youngest eras
  std::uint32_t density = 5;        // percent of the blocks that an era wrote
  pattern writes = pattern::random;
  std::uint64_t seed = 1;

  // The youngest era in the era array.
  std::uint32_t digested() const { return current_era - nr_writesets; }
  std::uint32_t era_of_writeset(std::uint32_t i) const { return digested() + 1 + i; }
};

// Pseudo-random numbers (splitmix64); different streams of a seed have nothing in common.
class random_stream {
 public:
  random_stream(std::uint64_t seed, std::uint64_t stream) : state_(mix(mix(seed) + stream)) {}

  std::uint64_t next() { return mix(state_ += 0x9E3779B97F4A7C15); }

  // Below `limit`.
  std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>((next() >> 32) * limit >> 32);
  }

  // A word of which each bit is set with the probability of_65536 / 65536.
  std::uint64_t sparse_word(std::uint32_t of_65536);

 private:
  static std::uint64_t mix(std::uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
  }

  std::uint64_t state_;
};

// The bits of one writeset from front to back.
class bit_stream {
 public:
  bit_stream(const contents& of, std::uint32_t writeset);

  // The next words, 64 bits each; bits beyond the end of the device are 0.
  void next(std::span<std::uint64_t> words);

 private:
  std::uint64_t next_word();
  std::uint64_t word_of_runs();

  contents of_;
  random_stream random_;
  std::uint64_t position_ = 0;  // of the next word
  std::uint32_t density_;       // of the present region, of 65536
  bool in_run_ = false;         // the next left_ bits are alike; of pattern::runs
  std::uint64_t left_ = 0;
};

// The values of the era array from front to back.
class era_stream {
 public:
  explicit era_stream(const contents& of);
  void next(std::span<std::uint32_t> eras);

 private:
  void begin_stretch();

  contents of_;
  random_stream random_;
  std::uint32_t nr_eras_;  // values are below
  std::uint64_t position_ = 0;
  std::uint64_t left_ = 0;  // blocks of the present stretch
  bool alike_ = false;      // they all have one value:
  std::uint32_t repeated_ = 0;
};

// Says all of it to a sink, in a dump's order.
void send(const contents& what, era::contents_sink& into);

}  // namespace bench
