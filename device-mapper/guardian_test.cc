#include "device-mapper/guardian.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "base/file_test_support.h"
#include "base/process_test_support.h"

namespace {

using base::test::in_child;
using base::test::only_child;
using base::test::start_child;
using base::test::status_of;
using base::test::temporary_folder;

constexpr int no_descriptor = -1;
constexpr int seconds_at_most = 10;

// What a guardian has done: a file, whose name is the note that it got.
class deeds {
 public:
  dm::guardian::action work() const {
    return [this](std::uint64_t note) {
      base::test::write_file(folder_ / std::to_string(note), "");
      return true;
    };
  }

  std::set<std::string> done() const { return folder_.names(); }

  // After a SIGKILL nobody waits for the guardian.
  std::set<std::string> done_in_time() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds_at_most);
    while (done().empty() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return done();
  }

 private:
  temporary_folder folder_;
};

const std::set<std::string> nothing;

// A child that is the leader of a process group, as what a shell starts is.
template <typename Action>
pid_t start_tool(Action action) {
  return start_child([&] {
    ::setpgid(0, 0);
    const rlimit no_core = {0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    base::take_care_of_signals();
    action();
  });
}

// Reads the end of a pipe that only the child writes to.
class ready_line {
 public:
  ready_line() { EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0); }
  ~ready_line() { ::close(ends_[0]); }
  void say() const { EXPECT_EQ(::write(ends_[1], "x", 1), 1); }
  void wait() {
    ::close(ends_[1]);
    char byte = 0;
    EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
  }
  // Whether nobody has the other end any more.
  bool has_ended() const {
    char byte = 0;
    return ::read(ends_[0], &byte, 1) == 0;
  }

 private:
  int ends_[2];
};

TEST(guardian, does_nothing_unless_it_watches) {
  const deeds deeds;
  { const dm::guardian guardian(deeds.work(), no_descriptor, ""); }
  EXPECT_EQ(deeds.done(), nothing);
}

TEST(guardian, works_with_the_last_note_when_the_object_goes) {
  const deeds deeds;
  {
    dm::guardian guardian(deeds.work(), no_descriptor, "");
    guardian.watch(3);
    guardian.watch(7);
    EXPECT_EQ(deeds.done(), nothing);
  }
  EXPECT_EQ(deeds.done(), std::set<std::string>{"7"});
}

TEST(guardian, does_nothing_once_it_is_dismissed) {
  const deeds deeds;
  {
    dm::guardian guardian(deeds.work(), no_descriptor, "");
    guardian.watch(3);
    guardian.dismiss();
    guardian.dismiss();
  }
  EXPECT_EQ(deeds.done(), nothing);
}

TEST(guardian, leaves_no_process) {
  in_child([] {
    const deeds deeds;
    {
      dm::guardian dismissed(deeds.work(), no_descriptor, "");
      dismissed.watch(1);
      dismissed.dismiss();
      dm::guardian guardian(deeds.work(), no_descriptor, "");
      guardian.watch(2);
    }
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  });
}

TEST(guardian, has_worked_when_a_signal_has_ended_the_process) {
  for (const int number : base::ending_signals) {
    const deeds deeds;
    ready_line ready;
    const pid_t tool = start_tool([&] {
      dm::guardian guardian(deeds.work(), no_descriptor, "");
      guardian.watch(5);
      ready.say();
      ::pause();
    });
    ready.wait();
    // As a terminal does, to the whole group.
    ASSERT_EQ(::kill(number == SIGINT ? -tool : tool, number), 0);
    EXPECT_EQ(status_of(tool), 128 + number);
    EXPECT_EQ(deeds.done(), std::set<std::string>{"5"});
  }
}

TEST(guardian, does_nothing_at_a_signal_before_it_watches_or_when_it_is_dismissed) {
  for (const bool dismissed : {false, true}) {
    const deeds deeds;
    const pid_t tool = start_tool([&] {
      dm::guardian guardian(deeds.work(), no_descriptor, "");
      if (dismissed) {
        guardian.watch(5);
        guardian.dismiss();
      }
      ::raise(SIGTERM);
    });
    EXPECT_EQ(status_of(tool), 128 + SIGTERM);
    EXPECT_EQ(deeds.done(), nothing);
  }
}

TEST(guardian, works_after_a_kill_even_of_the_whole_process_group) {
  for (const bool whole_group : {false, true}) {
    const deeds deeds;
    const pid_t tool = start_tool([&] {
      dm::guardian guardian(deeds.work(), no_descriptor, "");
      guardian.watch(5);
      ::kill(whole_group ? 0 : ::getpid(), SIGKILL);
    });
    EXPECT_EQ(status_of(tool), 128 + SIGKILL);
    EXPECT_EQ(deeds.done_in_time(), std::set<std::string>{"5"});
  }
}

TEST(guardian, heeds_no_signal_that_ends_others) {
  const deeds deeds;
  {
    dm::guardian guardian(deeds.work(), no_descriptor, "");
    const auto child = only_child();
    if (!child) {
      GTEST_SKIP() << "skipped: this kernel does not list the children of a process";
    }
    for (const int number : base::ending_signals) {
      ASSERT_EQ(::kill(*child, number), 0);
    }
    guardian.watch(5);
  }
  EXPECT_EQ(deeds.done(), std::set<std::string>{"5"});
}

TEST(guardian, keeps_no_pipe_of_the_process_open) {
  ready_line line;
  const temporary_folder folder;
  const std::string fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const pid_t tool = start_tool([&] {
    // Works until somebody opens the fifo.
    dm::guardian guardian(
        [&](std::uint64_t) {
          const base::file_handle end(::open(fifo.c_str(), O_WRONLY));
          return true;
        },
        no_descriptor, "");
    guardian.watch(1);
    line.say();
    ::raise(SIGKILL);
  });
  line.wait();
  EXPECT_EQ(status_of(tool), 128 + SIGKILL);
  EXPECT_TRUE(line.has_ended());
  const base::file_handle end(::open(fifo.c_str(), O_RDONLY));
  EXPECT_TRUE(end.is_open());
}

TEST(guardian, keeps_the_descriptor_that_it_is_told_to_keep) {
  const temporary_folder folder;
  base::file_handle file(::open((folder / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  {
    dm::guardian guardian(
        [](std::uint64_t fd) {
          base::write_all(static_cast<int>(fd), "kept", 4, "file");
          return true;
        },
        file.fd(), "");
    guardian.watch(static_cast<std::uint64_t>(file.fd()));
  }
  EXPECT_EQ(base::test::read_file(folder / "file"), "kept");
}

TEST(guardian, says_what_is_left_where_its_work_fails) {
  const auto fail = [](std::uint64_t) -> bool { throw std::runtime_error("no"); };
  testing::internal::CaptureStderr();
  {
    dm::guardian guardian(fail, no_descriptor, "it is left");
    guardian.watch(1);
  }
  {
    dm::guardian quiet(fail, no_descriptor, "");
    quiet.watch(1);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "it is left\n");

  testing::internal::CaptureStderr();
  const pid_t tool = start_tool([&] {
    dm::guardian guardian(fail, no_descriptor, "it is left");
    guardian.watch(1);
    ::raise(SIGTERM);
  });
  EXPECT_EQ(status_of(tool), 128 + SIGTERM);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "it is left\n");
}

// What is said of a guardian that is started where the system has no more of a resource to give.
std::string refusal_without(int resource) {
  rlimit before{};
  EXPECT_EQ(::getrlimit(resource, &before), 0);
  const rlimit none = {0, before.rlim_max};
  EXPECT_EQ(::setrlimit(resource, &none), 0);
  try {
    const dm::guardian guardian({}, no_descriptor, "");
  } catch (const base::io_error& refusal) {
    ::setrlimit(resource, &before);  // sanitizers open files to look at an object
    return refusal.what();
  }
  return "";
}

TEST(guardian, that_cannot_be_started_is_one_error) {
  in_child([] {
    EXPECT_EQ(refusal_without(RLIMIT_NOFILE),
              "the guardian process cannot be started: Too many open files\n"
              "Nothing was sent to the device.");
  });
  SKIP_UNLESS_ROOT();
  in_child([] {
    base::test::become_nobody();
    EXPECT_EQ(refusal_without(RLIMIT_NPROC),
              "the guardian process cannot be started: Resource temporarily unavailable\n"
              "Nothing was sent to the device.");
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  });
}

TEST(guardian, is_missed_when_somebody_has_killed_it) {
  dm::guardian guardian([](std::uint64_t) { return true; }, no_descriptor, "");
  const auto child = only_child();
  if (!child) {
    GTEST_SKIP() << "skipped: this kernel does not list the children of a process";
  }
  ASSERT_EQ(::kill(*child, SIGKILL), 0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds_at_most);
  EXPECT_THROW(
      {
        while (std::chrono::steady_clock::now() < end) {
          guardian.watch(1);
        }
      },
      base::io_error);
}

TEST(guardian, works_at_a_deadline) {
  const deeds deeds;
  dm::guardian guardian(deeds.work(), no_descriptor, "");
  const auto deadline = dm::guardian::clock::now() + std::chrono::milliseconds(60);
  guardian.watch(1, deadline);
  EXPECT_EQ(deeds.done_in_time(), std::set<std::string>{"1"});
  EXPECT_GE(dm::guardian::clock::now(), deadline);
  guardian.watch(2);
  guardian.dismiss();
  EXPECT_EQ(deeds.done(), std::set<std::string>{"1"});
}

// Each piece of work that is done adds a line to a file, if another file is there.
dm::guardian::action work_that_counts(const temporary_folder& folder) {
  return [&](std::uint64_t note) {
    if (!folder.names().contains("possible")) {
      return false;
    }
    std::ofstream(folder / "done", std::ios::app) << note << '\n';
    return true;
  };
}

std::string wait_for_work(const temporary_folder& folder) {
  const auto end = dm::guardian::clock::now() + std::chrono::seconds(seconds_at_most);
  while (base::test::read_file(folder / "done").empty() && dm::guardian::clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return base::test::read_file(folder / "done");
}

TEST(guardian, has_worked_once_when_it_has_worked_at_a_deadline) {
  const temporary_folder folder;
  base::test::write_file(folder / "possible", "");
  dm::guardian guardian(work_that_counts(folder), no_descriptor, "");
  guardian.watch(1, dm::guardian::clock::now());
  EXPECT_EQ(wait_for_work(folder), "1\n");
  EXPECT_TRUE(guardian.finish());
  EXPECT_EQ(base::test::read_file(folder / "done"), "1\n");
}

TEST(guardian, tries_again_where_there_was_nothing_to_do_at_a_deadline) {
  const temporary_folder folder;
  dm::guardian guardian(work_that_counts(folder), no_descriptor, "");
  guardian.watch(1, dm::guardian::clock::now());
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  EXPECT_FALSE(folder.names().contains("done"));
  base::test::write_file(folder / "possible", "");
  EXPECT_EQ(wait_for_work(folder), "1\n");
}

TEST(guardian, says_whether_its_work_succeeded) {
  const deeds deeds;
  dm::guardian guardian(deeds.work(), no_descriptor, "it is left");
  guardian.watch(1);
  EXPECT_TRUE(guardian.finish());
  EXPECT_EQ(deeds.done(), std::set<std::string>{"1"});
  EXPECT_FALSE(guardian.finish());  // it has ended

  testing::internal::CaptureStderr();
  {
    dm::guardian failing([](std::uint64_t) -> bool { throw std::runtime_error("no"); },
                         no_descriptor, "it is left");
    failing.watch(1);
    EXPECT_FALSE(failing.finish());
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");  // that is the caller's
}

// Kilobytes of memory of a process that can't be paged out; none where the kernel does not say.
std::optional<long> locked_memory_of(pid_t process) {
  std::ifstream facts("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(facts, line);) {
    if (line.starts_with("VmLck:")) {
      return std::stol(line.substr(line.find(':') + 1));
    }
  }
  return std::nullopt;
}

TEST(guardian, has_locked_its_memory_when_it_is_there_if_it_is_told_to) {
  SKIP_UNLESS_ROOT();
  SKIP_IF_SANITIZED("locks no memory, and says that it did");
  for (const bool locked : {false, true}) {
    const dm::guardian guardian(
        [](std::uint64_t) { return true; }, no_descriptor, "",
        locked ? dm::guardian::memory::locked : dm::guardian::memory::pageable);
    const auto child = only_child();
    const auto memory = child ? locked_memory_of(*child) : std::nullopt;
    if (!memory) {
      GTEST_SKIP() << "skipped: this kernel does not show the locked memory of a child";
    }
    EXPECT_EQ(*memory > 0, locked);
  }
}

TEST(guardian, works_where_no_memory_can_be_locked) {
  SKIP_UNLESS_ROOT();
  SKIP_IF_SANITIZED("locks no memory, and says that it did");
  in_child([] {
    const rlimit none = {0, 0};
    ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &none), 0);
    base::test::become_nobody();
    ASSERT_NE(::mlockall(MCL_CURRENT), 0);
    dm::guardian guardian([](std::uint64_t) { return true; }, no_descriptor, "",
                          dm::guardian::memory::locked);
    guardian.watch(1);
    EXPECT_TRUE(guardian.finish());
  });
}

TEST(guardian, does_nothing_at_a_deadline_that_was_called_off) {
  const deeds deeds;
  dm::guardian guardian(deeds.work(), no_descriptor, "");
  guardian.watch(1, dm::guardian::clock::now() + std::chrono::milliseconds(100));
  guardian.dismiss();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(deeds.done(), nothing);
}

}  // namespace
