// What era_metadata_size prints: as text for people, or as JSON. Thread safe: no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/output.h"
#include "era/report/sizes.h"

namespace era {

// What is asked for a device.
struct size_question {
  std::uint64_t device_bytes = 0;
  std::uint64_t writesets = 16;
  bool snapshot = false;
};

// The answer for one size of data block.
struct size_answer {
  std::uint64_t block_bytes = 0;
  std::uint64_t nr_blocks = 0;  // data blocks
  metadata_sizes sizes;
};

// Throws base::data_error for a block size of which the device has too many blocks, or needs more
// metadata than can be used.
size_answer answer(const size_question& question, std::uint64_t block_bytes);

// Those of all powers of two from 4 KiB to 4 MiB that can be had. Throws the same where none can.
std::vector<size_answer> answers_of_all(const size_question& question);

void print_size_text(const size_question& question, const size_answer& found, base::output& out);
void print_size_table(const size_question& question, const std::vector<size_answer>& found,
                      base::output& out);
void print_sizes_json(const size_question& question, const std::vector<size_answer>& found,
                      base::output& out);

// How full the metadata of a device is.
struct metadata_use {
  std::string name;  // of the metadata, or of the live device
  std::uint64_t used = 0;
  std::uint64_t total = 0;
  std::uint32_t current_era = 0;
  std::optional<std::uint64_t> archived;  // writesets not yet digested; not known of a live device
  bool snapshot = false;                  // one is held
  std::uint64_t nr_blocks = 0;            // data blocks
  std::uint64_t block_bytes = 0;

  // What it is to have room for.
  std::uint64_t writesets = 16;
  bool is_for_snapshot = false;
};

void print_use_text(const metadata_use& use, base::output& out);
void print_use_json(const metadata_use& use, base::output& out);

}  // namespace era
