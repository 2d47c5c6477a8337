#include "copy/nbd_end.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

#ifdef USE_LIBNBD
#include <libnbd.h>
#endif

namespace copy {

bool is_nbd_uri(const std::string& target) {
  constexpr std::array<std::string_view, 6> schemes = {
      "nbd://", "nbds://", "nbd+unix://", "nbds+unix://", "nbd+vsock://", "nbds+vsock://"};
  return std::any_of(schemes.begin(), schemes.end(),
                     [&](std::string_view scheme) { return target.starts_with(scheme); });
}

#ifdef USE_LIBNBD
namespace {

using clock = std::chrono::steady_clock;

// Connecting is over after so long, however busy the server is with it.
constexpr std::chrono::seconds longest_connecting{30};

constexpr std::uint64_t most_bytes = 32 << 20;  // where a server does not say what it takes
constexpr std::size_t most_zeros = 65536;       // bytes of a write
alignas(4096) constexpr std::array<std::byte, most_zeros> zeros{};

// A request that was sent, in one command or several.
struct flight {
  request* of = nullptr;
  std::size_t commands = 0;  // that are not answered
  std::vector<request*>* done = nullptr;
};

class nbd_end final : public endpoint {
 public:
  nbd_end(const std::string& uri, std::chrono::milliseconds patience);
  ~nbd_end() override { close(); }
  nbd_end(const nbd_end&) = delete;
  nbd_end& operator=(const nbd_end&) = delete;

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return size_; }
  void start(request& wanted) override;
  void collect(std::vector<request*>& done) override;
  pollfd waits_for() override;
  void abandon() noexcept override;
  void flush() override;

 private:
  [[noreturn]] void refuse(const std::string& doing) const;
  void close() noexcept;
  void connect();
  void learn();
  bool can(int answer) const;
  void go_on(int milliseconds);
  void require_answers();
  flight& take_flight(request& of);
  void require_handle() const;
  void send(flight& sent);
  std::int64_t send_part(flight& sent, std::uint64_t skip, std::size_t size);
  void send_flush(request& flushing);
  static int answered(void* user_data, int* error);

  std::string name_;
  std::chrono::milliseconds patience_;
  nbd_handle* handle_ = nullptr;  // null: given up
  std::uint64_t size_ = 0;
  std::uint64_t unit_ = 1;           // bytes; a request is of multiples of it
  std::uint64_t most_ = most_bytes;  // bytes of a command that carries data
  bool can_zero_ = false;
  bool can_flush_ = false;
  clock::time_point last_answer_;
  std::size_t under_way_ = 0;
  std::vector<std::unique_ptr<flight>> flights_;
};

nbd_end::nbd_end(const std::string& uri, std::chrono::milliseconds patience)
    : name_(uri), patience_(patience), handle_(::nbd_create()), last_answer_(clock::now()) {
  if (handle_ == nullptr) {
    refuse("connecting");
  }
  try {
    connect();
    learn();
  } catch (...) {
    close();
    throw;
  }
}

void nbd_end::refuse(const std::string& doing) const {
  const char* const why = ::nbd_get_error();
  throw base::io_error(name_ + ": " + doing + ": " + (why != nullptr ? why : "it failed"));
}

void nbd_end::close() noexcept {
  if (handle_ != nullptr) {
    ::nbd_close(handle_);
    handle_ = nullptr;
  }
}

void nbd_end::abandon() noexcept {
  close();
  endpoint::abandon();
  under_way_ = 0;
}

void nbd_end::connect() {
  const clock::time_point begun = clock::now();
  const auto longest = std::min<std::chrono::milliseconds>(patience_, longest_connecting);
  if (::nbd_aio_connect_uri(handle_, name_.c_str()) != 0) {
    refuse("connecting");
  }
  while (::nbd_aio_is_connecting(handle_) == 1) {
    go_on(100);
    if (clock::now() - begun > longest) {
      throw base::io_error(name_ + ": the server does not answer");
    }
  }
  if (::nbd_aio_is_ready(handle_) != 1) {
    refuse("connecting");
  }
}

bool nbd_end::can(int answer) const {
  if (answer < 0) {
    refuse("asking what it can do");
  }
  return answer == 1;
}

void nbd_end::learn() {
  const std::int64_t bytes = ::nbd_get_size(handle_);
  if (bytes < 0) {
    refuse("asking for its size");
  }
  size_ = static_cast<std::uint64_t>(bytes);
  if (can(::nbd_is_read_only(handle_))) {
    throw base::io_error(name_ + ": the server lets nobody write");
  }
  can_zero_ = can(::nbd_can_zero(handle_));
  can_flush_ = can(::nbd_can_flush(handle_));
  const std::int64_t unit = ::nbd_get_block_size(handle_, LIBNBD_SIZE_MINIMUM);
  unit_ = unit > 1 ? static_cast<std::uint64_t>(unit) : 1;
  const std::int64_t most = ::nbd_get_block_size(handle_, LIBNBD_SIZE_MAXIMUM);
  if (most > 0) {
    most_ = std::max(static_cast<std::uint64_t>(most) / unit_, std::uint64_t{1}) * unit_;
  }
}

// Lets the library send and receive what it can, after waiting for that so long at most.
void nbd_end::go_on(int milliseconds) {
  pollfd wanted = waits_for();
  if (::poll(&wanted, 1, milliseconds) <= 0) {
    return;
  }
  const unsigned direction = ::nbd_aio_get_direction(handle_);
  int result = 0;
  bool moved = true;
  if ((wanted.revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
      (direction & LIBNBD_AIO_DIRECTION_READ) != 0) {
    result = ::nbd_aio_notify_read(handle_);
  } else if ((wanted.revents & (POLLOUT | POLLHUP | POLLERR)) != 0 &&
             (direction & LIBNBD_AIO_DIRECTION_WRITE) != 0) {
    result = ::nbd_aio_notify_write(handle_);
  } else {
    moved = false;
  }
  if (moved) {
    last_answer_ = clock::now();
  }
  if (result != 0) {
    refuse("talking to it");
  }
}

void nbd_end::require_answers() {
  if (clock::now() - last_answer_ > patience_) {
    throw base::io_error(name_ + ": the server does not answer");
  }
}

flight& nbd_end::take_flight(request& of) {
  const auto found = std::find_if(flights_.begin(), flights_.end(),
                                  [](const auto& one) { return one->commands == 0; });
  flight& taken =
      found != flights_.end() ? **found : *flights_.emplace_back(std::make_unique<flight>());
  taken.of = &of;
  taken.done = &done_;
  // So that answered() takes no memory.
  done_.reserve(done_.size() + flights_.size());
  return taken;
}

// An exception must not pass through the library, so nothing here throws.
int nbd_end::answered(void* user_data, int* error) {
  flight& of = *static_cast<flight*>(user_data);
  if (*error != 0) {
    of.of->error = *error;
  }
  if (--of.commands == 0) {
    of.done->push_back(of.of);
  }
  return 1;
}

void nbd_end::require_handle() const {
  if (handle_ == nullptr) {
    throw base::io_error(name_ + ": was given up");
  }
}

void nbd_end::start(request& wanted) {
  require_handle();
  if (wanted.offset % unit_ != 0 || wanted.size % unit_ != 0) {
    throw base::io_error(name_ + ": the server takes only multiples of " + std::to_string(unit_) +
                         " bytes, and " + std::to_string(wanted.size) + " bytes at byte " +
                         std::to_string(wanted.offset) + " are to be copied");
  }
  if (under_way_ == 0) {
    last_answer_ = clock::now();
  }
  wanted.error = 0;
  ++under_way_;
  send(take_flight(wanted));
}

void nbd_end::send(flight& sent) {
  const request& of = *sent.of;
  std::uint64_t most = most_;
  if (of.what == request::kind::zero) {
    most = can_zero_ ? of.size : std::min<std::uint64_t>(most_, most_zeros);
  }
  sent.commands = base::ceil_div(of.size, most);
  for (std::uint64_t skip = 0; skip < of.size; skip += most) {
    if (send_part(sent, skip, std::min(most, of.size - skip)) < 0) {
      refuse(of.what == request::kind::read ? "reading" : "writing");
    }
  }
}

// As the functions of the library: negative if it can't be sent.
std::int64_t nbd_end::send_part(flight& sent, std::uint64_t skip, std::size_t size) {
  const request& of = *sent.of;
  const std::uint64_t offset = of.offset + skip;
  const nbd_completion_callback callback{answered, &sent, nullptr};
  if (of.what == request::kind::read) {
    return ::nbd_aio_pread(handle_, of.memory + skip, size, offset, callback, 0);
  }
  if (of.what == request::kind::write) {
    return ::nbd_aio_pwrite(handle_, of.memory + skip, size, offset, callback, 0);
  }
  return can_zero_ ? ::nbd_aio_zero(handle_, size, offset, callback, 0)
                   : ::nbd_aio_pwrite(handle_, zeros.data(), size, offset, callback, 0);
}

void nbd_end::collect(std::vector<request*>& done) {
  if (handle_ != nullptr && under_way_ > 0) {
    go_on(0);
    if (done_.empty()) {
      require_answers();
    }
    if (::nbd_aio_is_dead(handle_) == 1 || ::nbd_aio_is_closed(handle_) == 1) {
      throw base::io_error(name_ + ": the connection was lost");
    }
  }
  under_way_ -= done_.size();
  endpoint::collect(done);
}

pollfd nbd_end::waits_for() {
  pollfd wanted{-1, 0, 0};
  if (handle_ != nullptr) {
    const unsigned direction = ::nbd_aio_get_direction(handle_);
    wanted.fd = ::nbd_aio_get_fd(handle_);
    wanted.events =
        static_cast<short>(((direction & LIBNBD_AIO_DIRECTION_READ) != 0 ? POLLIN : 0) |
                           ((direction & LIBNBD_AIO_DIRECTION_WRITE) != 0 ? POLLOUT : 0));
  }
  return wanted;
}

void nbd_end::flush() {
  require_handle();
  if (!can_flush_) {
    return;
  }
  request flushing;
  try {
    send_flush(flushing);
  } catch (...) {
    // An answer must not come when the request is gone.
    abandon();
    throw;
  }
  if (flushing.error != 0) {
    throw base::io_error(base::system_message(name_ + ": flushing", flushing.error));
  }
}

void nbd_end::send_flush(request& flushing) {
  flight& sent = take_flight(flushing);
  sent.commands = 1;
  last_answer_ = clock::now();
  ++under_way_;
  if (::nbd_aio_flush(handle_, {answered, &sent, nullptr}, 0) < 0) {
    refuse("flushing");
  }
  std::vector<request*> done;
  while (done.empty()) {
    go_on(100);
    collect(done);
  }
}

}  // namespace

std::unique_ptr<endpoint> connect_to_nbd(const std::string& uri,
                                         std::chrono::milliseconds patience) {
  return std::make_unique<nbd_end>(uri, patience);
}

#else

std::unique_ptr<endpoint> connect_to_nbd(const std::string& uri, std::chrono::milliseconds) {
  throw base::io_error(uri + ": this program was built without libnbd, so it knows no NBD servers");
}

#endif

}  // namespace copy
