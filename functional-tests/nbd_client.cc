#include "nbd_client.h"

#include <algorithm>

namespace serving {
namespace {

[[noreturn]] void fail() {
  const char* const why = ::nbd_get_error();
  throw nbd_failure(why != nullptr ? why : "libnbd fails", ::nbd_get_errno());
}

int add_extents(void* to, const char* /*context*/, std::uint64_t offset, std::uint32_t* entries,
                std::size_t nr_entries, int* /*error*/) {
  auto& found = *static_cast<std::vector<nbd_extent>*>(to);
  for (std::size_t i = 0; i + 1 < nr_entries; i += 2) {
    const nbd_extent next = {offset, offset + entries[i], entries[i + 1]};
    if (!found.empty() && found.back().end == next.begin && found.back().flags == next.flags) {
      found.back().end = next.end;
    } else {
      found.push_back(next);
    }
    offset = next.end;
  }
  return 0;
}

}  // namespace

nbd_client::nbd_client(const std::string& socket, const std::string& export_name)
    : handle_(::nbd_create()) {
  if (handle_ == nullptr) {
    fail();
  }
  try {
    check(::nbd_set_export_name(handle_, export_name.c_str()));
    check(::nbd_add_meta_context(handle_, LIBNBD_CONTEXT_BASE_ALLOCATION));
    check(::nbd_connect_unix(handle_, socket.c_str()));
  } catch (...) {
    ::nbd_close(handle_);
    throw;
  }
}

nbd_client::~nbd_client() {
  if (::nbd_aio_is_ready(handle_) == 1) {
    ::nbd_shutdown(handle_, 0);
  }
  ::nbd_close(handle_);
}

void nbd_client::check(int result) {
  if (result < 0) {
    fail();
  }
}

std::uint64_t nbd_client::size() {
  const std::int64_t bytes = ::nbd_get_size(handle_);
  if (bytes < 0) {
    fail();
  }
  return static_cast<std::uint64_t>(bytes);
}

bool nbd_client::is_read_only() {
  const int answer = ::nbd_is_read_only(handle_);
  check(answer);
  return answer == 1;
}

std::string nbd_client::read(std::uint64_t offset, std::size_t size) {
  constexpr std::size_t most = 8 << 20;
  std::string bytes(size, '\0');
  for (std::size_t done = 0; done < size; done += most) {
    check(::nbd_pread(handle_, bytes.data() + done, std::min(most, size - done), offset + done, 0));
  }
  return bytes;
}

void nbd_client::write(std::uint64_t offset, const std::string& bytes, std::uint32_t flags) {
  check(::nbd_pwrite(handle_, bytes.data(), bytes.size(), offset, flags));
}

void nbd_client::zero(std::uint64_t offset, std::uint64_t size, std::uint32_t flags) {
  check(::nbd_zero(handle_, size, offset, flags));
}

void nbd_client::trim(std::uint64_t offset, std::uint64_t size, std::uint32_t flags) {
  check(::nbd_trim(handle_, size, offset, flags));
}

void nbd_client::flush() {
  check(::nbd_flush(handle_, 0));
}

std::vector<nbd_extent> nbd_client::extents() {
  std::vector<nbd_extent> found;
  const std::uint64_t end = size();
  while (found.empty() || found.back().end < end) {
    const std::uint64_t at = found.empty() ? 0 : found.back().end;
    check(::nbd_block_status(handle_, end - at, at, {add_extents, &found, nullptr}, 0));
  }
  return found;
}

}  // namespace serving
