// An origin of any size that keeps nothing, for tests of what happens to the metadata. Thread safe:
// no state.
#pragma once

#include <string>

#include "era/target/origin.h"

namespace era::test {

class hollow_origin final : public origin {
 public:
  explicit hollow_origin(std::uint64_t nr_sectors) : nr_sectors_(nr_sectors) {}
  const std::string& name() const override { return name_; }
  std::uint64_t nr_sectors() const override { return nr_sectors_; }
  void read(std::uint64_t /*sector*/, std::span<std::byte> /*into*/) override {}
  void write(std::uint64_t /*sector*/, std::span<const std::byte> /*from*/) override {}
  void discard(std::uint64_t /*sector*/, std::uint64_t /*nr_sectors*/) override {}
  void flush() override {}

 private:
  std::string name_ = "data";
  std::uint64_t nr_sectors_;
};

}  // namespace era::test
