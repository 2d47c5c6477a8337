#include "copy/nbd_end.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "copy/copier.h"
#include "copy/endpoint_test_support.h"

namespace {

using base::byte_range;
using base::test::message_of;
using copy::test::memory_end;

constexpr std::size_t mib = 1048576;

TEST(nbd_uri, is_told_from_a_path) {
  for (const char* const uri : {"nbd://host", "nbd://host:10809/export", "nbds://host",
                                "nbd+unix:///?socket=/run/x", "nbd+vsock://2"}) {
    EXPECT_TRUE(copy::is_nbd_uri(uri)) << uri;
  }
  for (const char* const path : {"/dev/nbd0", "nbd", "nbd:", "./nbd://x", "http://host", ""}) {
    EXPECT_FALSE(copy::is_nbd_uri(path)) << path;
  }
}

// A server that serves one file by a socket, both in a folder of its own, and ends with the object.
class server {
 public:
  explicit server(const std::string& bytes, const std::vector<std::string>& filters = {},
                  const std::vector<std::string>& parameters = {}) {
    base::test::write_file(file(), bytes);
    std::vector<std::string> words;
    for (const std::string& filter : filters) {
      words.push_back("--filter=" + filter);
    }
    words.insert(words.end(), {"file", file()});
    words.insert(words.end(), parameters.begin(), parameters.end());
    start(words);
  }
  // By these words of nbdkit's command line.
  explicit server(const std::vector<std::string>& words) { start(words); }
  ~server() {
    if (child_ > 0) {
      kill();
    }
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  bool is_there() const { return child_ > 0; }
  std::string uri() const { return "nbd+unix:///?socket=" + socket(); }
  std::string bytes() const { return base::test::read_file(file()); }
  void stop() const { ::kill(child_, SIGSTOP); }
  void go_on() const { ::kill(child_, SIGCONT); }

  void kill() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

 private:
  std::string file() const { return folder_ / "file"; }
  std::string socket() const { return folder_ / "socket"; }
  std::string pid_file() const { return folder_ / "pid"; }

  void start(std::vector<std::string> words) {
    const std::vector<std::string> program = {"nbdkit", "-f", "-U", socket(), "-P", pid_file()};
    words.insert(words.begin(), program.begin(), program.end());
    child_ = ::fork();
    if (child_ == 0) {
      std::vector<char*> arguments;
      for (const std::string& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str()));
      }
      arguments.push_back(nullptr);
      ::execvp(arguments.front(), arguments.data());
      ::_exit(127);
    }
    // The socket is there a little before it takes connections; this file is not.
    struct stat info {};
    while (::stat(pid_file().c_str(), &info) != 0) {
      if (::waitpid(child_, nullptr, WNOHANG) == child_) {
        child_ = -1;
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  base::test::temporary_folder folder_;
  pid_t child_ = -1;
};

bool knows_nbd() {
  try {
    copy::connect_to_nbd("nbd+unix:///?socket=/none");
  } catch (const base::io_error& failure) {
    return std::string(failure.what()).find("without libnbd") == std::string::npos;
  }
  return true;
}

#define NEEDS_LIBNBD()                               \
  if (!knows_nbd()) {                                \
    GTEST_SKIP() << "skipped: built without libnbd"; \
  }

#define NEEDS(the_server)                                       \
  NEEDS_LIBNBD()                                                \
  if (!(the_server).is_there()) {                               \
    GTEST_SKIP() << "skipped: nbdkit is not here, or a filter"; \
  }

copy::copy_totals copy_to(copy::endpoint& to, memory_end& from,
                          const std::vector<byte_range>& ranges,
                          const copy::copy_options& how = {}) {
  base::no_progress progress;
  return copy::copy_extents(from, to, copy::test::these_ranges(ranges),
                            copy::test::bytes_in(ranges), how, progress);
}

TEST(nbd_end, takes_any_ranges) {
  const std::size_t size = 6 * mib - 512;
  const std::string before = copy::test::patterned_bytes(size, 2);
  for (const bool thorough : {false, true}) {
    server one(before);
    NEEDS(one);
    const auto to = copy::connect_to_nbd(one.uri());
    EXPECT_EQ(to->size(), size);
    EXPECT_EQ(to->name(), one.uri());
    memory_end from("source", copy::test::patterned_bytes(size, 1));
    const auto ranges = copy::test::random_ranges(size, 4096, 3);
    copy_to(*to, from, ranges, {.skip_equal = thorough, .verify = thorough});
    EXPECT_TRUE(one.bytes() == copy::test::merged(before, from.bytes(), ranges));
  }
}

TEST(nbd_end, sends_zeros_as_a_command_or_as_bytes) {
  for (const std::string mode : {"", "none", "emulate"}) {
    server one(
        std::string(4 * mib, 'x'),
        mode.empty() ? std::vector<std::string>{} : std::vector<std::string>{"nozero"},
        mode.empty() ? std::vector<std::string>{} : std::vector<std::string>{"zeromode=" + mode});
    NEEDS(one);
    const auto to = copy::connect_to_nbd(one.uri());
    memory_end from("source", std::string(4 * mib, '\0'));
    EXPECT_EQ(copy_to(*to, from, {{512, 4 * mib - 512}}).zeroed, 4 * mib - 1024);
    EXPECT_TRUE(one.bytes() ==
                std::string(512, 'x') + std::string(4 * mib - 1024, '\0') + std::string(512, 'x'));
  }
}

TEST(nbd_end, passes_on_what_the_server_fails_with) {
  for (const std::string what : {"error-pwrite-rate=100%", "error-pread-rate=100%"}) {
    server one(std::string(4 * mib, 'x'), {"error"}, {"error=ENOSPC", what});
    NEEDS(one);
    const auto to = copy::connect_to_nbd(one.uri());
    memory_end from("source", std::string(4 * mib, 'a'));
    const std::string told = message_of<base::io_error>([&] {
      copy_to(*to, from, {{0, 4 * mib}}, {.skip_equal = true});
    });
    EXPECT_EQ(
        told.find(one.uri() + ": " +
                  (what.find("pwrite") != std::string::npos ? "writing" : "reading") + " at byte "),
        0U);
    EXPECT_NE(told.find("No space left on device"), std::string::npos) << told;
  }
}

TEST(nbd_end, refuses_a_server_that_lets_nobody_write) {
  server one(std::string(mib, 'x'), {}, {"-r"});
  NEEDS(one);
  EXPECT_EQ(message_of<base::io_error>([&] { copy::connect_to_nbd(one.uri()); }),
            one.uri() + ": the server lets nobody write");
}

TEST(nbd_end, says_that_there_is_no_server) {
  const base::test::temporary_folder folder;
  const std::string uri = "nbd+unix:///?socket=" + (folder / "none");
  EXPECT_EQ(message_of<base::io_error>([&] { copy::connect_to_nbd(uri); }).find(uri + ": "), 0U);
}

TEST(nbd_end, says_that_the_server_has_gone) {
  server one(std::string(64 * mib, 'x'), {"delay"}, {"wdelay=50ms"});
  NEEDS(one);
  const auto to = copy::connect_to_nbd(one.uri());
  memory_end from("source", std::string(64 * mib, 'a'));
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    one.kill();
  });
  const std::string told = message_of<base::io_error>([&] { copy_to(*to, from, {{0, 64 * mib}}); });
  killer.join();
  EXPECT_EQ(told.find(one.uri() + ": "), 0U) << told;
}

TEST(nbd_end, gives_up_a_server_that_does_not_answer) {
  server one(std::string(mib, 'x'));
  NEEDS(one);
  const auto to = copy::connect_to_nbd(one.uri(), std::chrono::milliseconds(300));
  memory_end from("source", std::string(mib, 'a'));
  one.stop();
  EXPECT_EQ(message_of<base::io_error>([&] {
              copy_to(*to, from, {{0, mib}});
            }),
            one.uri() + ": the server does not answer");
}

TEST(nbd_end, gives_up_connecting_to_what_does_not_answer) {
  server one(std::string(mib, 'x'));
  NEEDS(one);
  one.stop();
  EXPECT_NE(message_of<base::io_error>([&] {
              copy::connect_to_nbd(one.uri(), std::chrono::milliseconds(300));
            }).find("the server does not answer"),
            std::string::npos);
}

// A server that says a little of its greeting now and then, and never all of it.
class slow_greeter {
 public:
  slow_greeter() : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket_.fd(), 1), 0);
    greeting_ = std::thread([this] { greet(); });
  }
  ~slow_greeter() {
    ::shutdown(socket_.fd(), SHUT_RDWR);
    greeting_.join();
  }
  slow_greeter(const slow_greeter&) = delete;
  slow_greeter& operator=(const slow_greeter&) = delete;

  std::string uri() const { return "nbd+unix:///?socket=" + path(); }
  std::size_t said() const { return said_; }

  static constexpr std::string_view greeting = "NBDMAGICIHAVEOPT";

 private:
  std::string path() const { return folder_ / "socket"; }

  void greet() {
    const base::file_handle client(::accept(socket_.fd(), nullptr, nullptr));
    for (const char letter : greeting) {
      if (::send(client.fd(), &letter, 1, MSG_NOSIGNAL) != 1) {
        return;
      }
      ++said_;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  base::test::temporary_folder folder_;
  base::file_handle socket_;
  std::atomic<std::size_t> said_ = 0;
  std::thread greeting_;
};

TEST(nbd_end, gives_up_connecting_to_what_always_says_a_little_more) {
  NEEDS_LIBNBD()
  const slow_greeter one;
  EXPECT_EQ(message_of<base::io_error>(
                [&] { copy::connect_to_nbd(one.uri(), std::chrono::milliseconds(300)); }),
            one.uri() + ": the server does not answer");
  EXPECT_GT(one.said(), 0U);
  EXPECT_LT(one.said(), slow_greeter::greeting.size());
}

TEST(nbd_end, waits_for_a_server_that_is_slow_and_answers) {
  server one(std::string(6 * mib, 'x'), {"noparallel", "delay"},
             {"serialize=requests", "wdelay=150ms"});
  NEEDS(one);
  const std::chrono::milliseconds patience(1000);
  const auto to = copy::connect_to_nbd(one.uri(), patience);
  memory_end from("source", std::string(6 * mib, 'a'));
  const auto begun = std::chrono::steady_clock::now();
  copy_to(*to, from, {{0, 6 * mib}});
  EXPECT_GT(std::chrono::steady_clock::now() - begun, patience);
  EXPECT_TRUE(one.bytes() == from.bytes());
}

TEST(nbd_end, flushes_or_says_why_not) {
  const std::vector<std::string> lets_write = {"eval", "get_size=echo 4096", "pread=exit 1",
                                               "pwrite=cat >/dev/null"};
  for (const bool fails : {false, true}) {
    std::vector<std::string> words = lets_write;
    words.emplace_back(fails ? "flush=echo ENOSPC disk full >&2; exit 1" : "flush=exit 0");
    server one(words);
    NEEDS(one);
    const auto to = copy::connect_to_nbd(one.uri());
    if (fails) {
      EXPECT_EQ(message_of<base::io_error>([&] { to->flush(); }),
                one.uri() + ": flushing: No space left on device");
    } else {
      EXPECT_NO_THROW(to->flush());
    }
  }
  server one(lets_write);
  NEEDS(one);
  EXPECT_NO_THROW(copy::connect_to_nbd(one.uri())->flush());
}

TEST(nbd_end, does_not_wait_for_ever_for_a_flush) {
  server one(std::string(mib, 'x'));
  NEEDS(one);
  const auto to = copy::connect_to_nbd(one.uri(), std::chrono::milliseconds(300));
  one.stop();
  EXPECT_EQ(message_of<base::io_error>([&] { to->flush(); }),
            one.uri() + ": the server does not answer");
  // The answer that comes now is of the flush that was given up.
  one.go_on();
  EXPECT_EQ(message_of<base::io_error>([&] { to->flush(); }), one.uri() + ": was given up");
}

TEST(nbd_end, has_not_flushed_when_the_server_has_gone) {
  server one(std::string(mib, 'x'));
  NEEDS(one);
  const auto to = copy::connect_to_nbd(one.uri());
  one.kill();
  EXPECT_EQ(message_of<base::io_error>([&] { to->flush(); }).find(one.uri() + ": "), 0U);
  EXPECT_EQ(message_of<base::io_error>([&] { to->flush(); }), one.uri() + ": was given up");
}

TEST(nbd_end, touches_no_memory_once_abandoned) {
  server one(std::string(mib, 'x'));
  NEEDS(one);
  const auto to = copy::connect_to_nbd(one.uri());
  one.stop();
  {
    std::vector<std::byte> memory(mib);
    copy::request reading{
        copy::request::kind::read, 0, memory.size(), memory.data(), memory.size(), 0, nullptr};
    to->start(reading);
    to->abandon();
  }
  one.go_on();
  std::vector<copy::request*> done;
  EXPECT_NO_THROW(to->collect(done));
  EXPECT_TRUE(done.empty());
  EXPECT_EQ(message_of<base::io_error>([&] { to->flush(); }), one.uri() + ": was given up");
}

TEST(nbd_end, asks_for_no_more_than_the_server_takes_at_once) {
  for (const std::vector<std::string>& filters :
       {std::vector<std::string>{"blocksize-policy"}, {"blocksize-policy", "nozero"}}) {
    server one(std::string(4 * mib, 'x'), filters,
               {"blocksize-minimum=512", "blocksize-preferred=4096", "blocksize-maximum=20480",
                "blocksize-error-policy=error"});
    NEEDS(one);
    const auto to = copy::connect_to_nbd(one.uri());
    memory_end from("source", copy::test::patterned_bytes(4 * mib, 1));
    const std::vector<byte_range> ranges = {{512, 3 * mib + 1536}};
    copy_to(*to, from, ranges, {.skip_equal = true, .verify = true});
    EXPECT_TRUE(one.bytes() == copy::test::merged(std::string(4 * mib, 'x'), from.bytes(), ranges));
  }
}

TEST(nbd_end, keeps_to_the_unit_of_the_server) {
  server one(std::string(mib, 'x'), {"blocksize-policy"},
             {"blocksize-minimum=4096", "blocksize-error-policy=error"});
  NEEDS(one);
  const auto to = copy::connect_to_nbd(one.uri());
  memory_end from("source", std::string(mib, 'a'));
  copy_to(*to, from, {{4096, 16384}});
  EXPECT_NE(message_of<base::io_error>([&] {
              copy_to(*to, from, {{512, 4096}});
            }).find("the server takes only multiples of 4096 bytes"),
            std::string::npos);
}

}  // namespace
