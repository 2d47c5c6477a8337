// Tests that need a process of their own: what they change (user, signals, limits, mounts) ends
// with it. Not thread safe.
#pragma once

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <optional>
#include <string>

namespace base::test {

constexpr uid_t nobody = 65534;

// A child that runs `action` and ends with status 0, or 1 if an expectation failed.
template <typename Action>
pid_t start_child(Action action) {
  // Else the child writes once more what is pending, wherever its standard output leads then.
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    try {
      action();
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  return pid;
}

// The exit status of the child, or 128 and the signal that ended it.
inline int status_of(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) {
    return -1;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

template <typename Action>
void in_child(Action action) {
  EXPECT_EQ(status_of(start_child(action)), 0);
}

// For a child: root no more.
inline void become_nobody() {
  ASSERT_EQ(::setgid(nobody), 0);
  ASSERT_EQ(::setuid(nobody), 0);
}

// The only child of this process; none where the kernel does not list them.
inline std::optional<pid_t> only_child() {
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t child = 0;
  return children >> child ? std::optional(child) : std::nullopt;
}

// Something mounted on `path` until the object goes.
class bind_mount {
 public:
  bind_mount(const std::string& source, std::string path)
      : path_(std::move(path)),
        done_(::mount(source.c_str(), path_.c_str(), nullptr, MS_BIND, nullptr) == 0) {}
  ~bind_mount() {
    if (done_) {
      ::umount2(path_.c_str(), MNT_DETACH);
    }
  }
  bind_mount(const bind_mount&) = delete;
  bind_mount& operator=(const bind_mount&) = delete;
  bool is_mounted() const { return done_; }

 private:
  std::string path_;
  bool done_;
};

}  // namespace base::test

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage)
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TESTS_ARE_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TESTS_ARE_SANITIZED 1
#endif
#ifdef TESTS_ARE_SANITIZED
#define SKIP_IF_SANITIZED(why) GTEST_SKIP() << "skipped: a sanitizer " << (why)
#else
#define SKIP_IF_SANITIZED(why) static_cast<void>(0)
#endif

#define SKIP_UNLESS_ROOT()              \
  if (::geteuid() != 0) {               \
    GTEST_SKIP() << "only root can do"; \
  }
