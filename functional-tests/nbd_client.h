// A client of an NBD server, by libnbd. What fails throws nbd_failure. Not thread safe.
#pragma once

#include <libnbd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace serving {

class nbd_failure : public std::runtime_error {
 public:
  nbd_failure(const std::string& what, int error) : std::runtime_error(what), error_(error) {}
  int error() const { return error_; }  // an errno

 private:
  int error_;
};

// Bytes that a server says are data, or a hole.
struct nbd_extent {
  std::uint64_t begin;
  std::uint64_t end;
  std::uint32_t flags;  // of base:allocation

  bool operator==(const nbd_extent& other) const = default;
};

class nbd_client {
 public:
  explicit nbd_client(const std::string& socket, const std::string& export_name = "");
  ~nbd_client();
  nbd_client(const nbd_client&) = delete;
  nbd_client& operator=(const nbd_client&) = delete;

  nbd_handle* handle() { return handle_; }
  std::uint64_t size();
  bool is_read_only();

  std::string read(std::uint64_t offset, std::size_t size);
  void write(std::uint64_t offset, const std::string& bytes, std::uint32_t flags = 0);
  void zero(std::uint64_t offset, std::uint64_t size, std::uint32_t flags = 0);
  void trim(std::uint64_t offset, std::uint64_t size, std::uint32_t flags = 0);
  void flush();

  // Of the whole export; neighbours that are alike are one.
  std::vector<nbd_extent> extents();

 private:
  void check(int result);

  nbd_handle* handle_;
};

}  // namespace serving
