// An era device on files that was copied once and has changed since, for tests of what copies the
// changes. Not safe for threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "simulating.h"

namespace fixtures {

struct byte_extent {
  std::uint64_t begin;
  std::uint64_t end;
};

class changed_device {
 public:
  struct shape {
    std::uint64_t origin_sectors = 40000 - 3;  // the last block is a part
    std::uint64_t block_sectors = 128;
    unsigned seed = 1;
  };

  changed_device() : changed_device(shape{}) {}
  explicit changed_device(const shape& wanted, const std::filesystem::path& parent =
                                                   std::filesystem::temp_directory_path());

  // "metadata" and "origin" are there.
  std::string operator/(const std::string& name) const { return place_ / name; }

  const std::string& base() const { return base_; }      // the origin when it was copied
  const std::string& origin() const { return origin_; }  // and now
  const shape& is_of() const { return shape_; }
  const std::string& since() const { return since_; }  // the era to ask for

  // More writes, and the device is as another reader leaves it.
  void change(unsigned seed);

  std::string list(std::vector<std::string> options) const;

  // What is listed, by the XML that all parsers know.
  std::vector<byte_extent> listed() const;
  std::uint64_t listed_bytes() const;

  // `onto` with the listed part of the origin over it.
  std::string overlaid(std::string onto) const;

 private:
  void run(const std::string& script) const;
  std::string writes(unsigned seed) const;

  simulating::place place_;
  shape shape_;
  std::string since_;
  std::string base_;
  std::string origin_;
};

// The call has succeeded, and said nothing of a failure.
void require_done(const harness::result& got);

// What a state file (--since-file) says.
nlohmann::json state_in(const std::string& path);

// Whether these are all bytes of a file. Nobody wants to see those of one that differs.
bool has_bytes(const std::string& path, const std::string& bytes);

// Says which of them is missing.
bool has_programs(const std::vector<std::string>& programs);

}  // namespace fixtures
