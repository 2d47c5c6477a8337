// The device that an era target passes requests on to, addressed in sectors of 512 bytes: a file or
// block device, or memory. Not thread safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file_handle.h"

namespace era {

class origin {
 public:
  virtual ~origin() = default;

  virtual const std::string& name() const = 0;
  virtual std::uint64_t nr_sectors() const = 0;

  // Whole sectors, below nr_sectors(). All throw base::io_error.
  virtual void read(std::uint64_t sector, std::span<std::byte> into) = 0;
  virtual void write(std::uint64_t sector, std::span<const std::byte> from) = 0;

  // The contents have no meaning any more; they may stay or become zeros.
  virtual void discard(std::uint64_t sector, std::uint64_t nr_sectors) = 0;

  // Everything written so far is on stable storage when it returns.
  virtual void flush() = 0;

  void write_zeroes(std::uint64_t sector, std::uint64_t nr_sectors);
};

class file_origin final : public origin {
 public:
  // Opens a regular file, or a block device that nothing else uses; throws base::io_error.
  explicit file_origin(std::string path);

  const std::string& name() const override { return name_; }
  std::uint64_t nr_sectors() const override { return nr_sectors_; }
  void read(std::uint64_t sector, std::span<std::byte> into) override;
  void write(std::uint64_t sector, std::span<const std::byte> from) override;
  void discard(std::uint64_t sector, std::uint64_t nr_sectors) override;
  void flush() override;

 private:
  std::string name_;
  base::file_handle file_;
  std::uint64_t nr_sectors_;
};

class memory_origin final : public origin {
 public:
  explicit memory_origin(std::uint64_t nr_sectors, std::string name = "origin");

  const std::string& name() const override { return name_; }
  std::uint64_t nr_sectors() const override;
  void read(std::uint64_t sector, std::span<std::byte> into) override;
  void write(std::uint64_t sector, std::span<const std::byte> from) override;
  void discard(std::uint64_t /*sector*/, std::uint64_t /*nr_sectors*/) override {}
  void flush() override {}

 private:
  std::string name_;
  std::vector<std::byte> bytes_;
};

}  // namespace era
