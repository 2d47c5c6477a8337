#include "device-mapper/suspension.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/error.h"
#include "base/file_test_support.h"
#include "base/process_test_support.h"
#include "device-mapper/fake_devices_test_support.h"

namespace {

using base::test::message_of;
using base::test::only_child;
using base::test::start_child;
using base::test::status_of;
using std::chrono::milliseconds;

// A device as the kernel has it, for a process and its guardian alike: its state is in files.
class live_device : public dm::test::fake_devices {
 public:
  live_device() { all["era"].table = {{0, 131072, "era", "254:0 254:16 128"}}; }

  dm::live_target target() { return dm::require_target(*this, "era", "era"); }

  bool is_suspended() const { return folder_.names().contains("suspended"); }
  void set_suspended(bool wanted) {
    if (wanted) {
      base::test::write_file(folder_ / "suspended", "");
    } else {
      std::filesystem::remove(folder_ / "suspended");
    }
  }
  void refuse(const std::string& call) { base::test::write_file(folder_ / call, ""); }
  void allow(const std::string& call) { std::filesystem::remove(folder_ / call); }

  std::optional<dm::device_state> find(const std::string& name) override {
    require_allowed("find");
    all["era"].suspended = is_suspended();
    return fake_devices::find(name);
  }

  void suspend(const std::string&) override {
    begin("suspend");
    require_allowed("suspend");
    note("suspend");
    set_suspended(true);
    require_allowed("suspend late");
  }
  void resume(const std::string&) override {
    begin("resume");
    require_allowed("resume");
    note("resume");
    set_suspended(false);
  }

  // What was done to it, by whichever process.
  std::string calls() const { return base::test::read_file(folder_ / "calls"); }

  // Others see it a moment after a process was killed.
  bool is_resumed_in_time() const {
    for (int tries = 0; is_suspended() && tries < 1000; ++tries) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    return !is_suspended();
  }

 private:
  void require_allowed(const std::string& call) const {
    if (folder_.names().contains(call)) {
      throw base::io_error("era: refused: Invalid argument");
    }
  }
  void note(const std::string& call) const {
    std::ofstream(folder_ / "calls", std::ios::app) << call << ' ';
  }

  base::test::temporary_folder folder_;
};

constexpr dm::suspension_options quietly{std::chrono::seconds(30), true};

TEST(suspension, ends_by_resume) {
  live_device live;
  dm::suspension one(live, live.target(), {});
  EXPECT_TRUE(live.is_suspended());
  std::this_thread::sleep_for(milliseconds(20));
  one.resume();
  EXPECT_FALSE(live.is_suspended());
  EXPECT_GE(one.duration(), milliseconds(20));
  EXPECT_LT(one.duration(), std::chrono::seconds(10));
  EXPECT_EQ(live.calls(), "suspend resume ");
}

TEST(suspension, ends_with_the_object) {
  live_device live;
  { const dm::suspension one(live, live.target(), {}); }
  EXPECT_FALSE(live.is_suspended());
}

TEST(suspension, is_not_of_a_device_that_somebody_else_has_suspended) {
  live_device live;
  const dm::live_target target = live.target();
  live.set_suspended(true);
  EXPECT_NE(message_of<base::data_error>([&] {
              const dm::suspension one(live, target, {});
            }).find("era: is suspended"),
            std::string::npos);
  EXPECT_TRUE(live.is_suspended());
}

TEST(suspension, is_not_of_another_device_of_that_name) {
  live_device live;
  dm::live_target target = live.target();
  target.number = 7;
  EXPECT_EQ(message_of<base::data_error>([&] { const dm::suspension one(live, target, {}); }),
            "era: is another device by now");
  EXPECT_FALSE(live.is_suspended());
}

TEST(suspension, is_not_of_a_device_that_would_get_another_table) {
  live_device live;
  live.all["era"].has_next_table = true;
  EXPECT_EQ(
      message_of<base::data_error>([&] { const dm::suspension one(live, live.target(), {}); }),
      "era: another table is loaded, which a resume would put in place\n"
      "Have that done (dmsetup resume era), or drop that table (dmsetup clear era), and start "
      "again.");
  EXPECT_EQ(live.calls(), "");
}

TEST(suspension, that_is_refused_leaves_the_device_as_it_was) {
  for (const std::string call : {"suspend", "suspend late"}) {
    live_device live;
    live.refuse(call);
    EXPECT_THROW(const dm::suspension one(live, live.target(), {}), base::io_error);
    EXPECT_FALSE(live.is_suspended()) << call;
  }
}

TEST(suspension, that_somebody_else_has_ended_is_no_moment) {
  live_device live;
  dm::suspension one(live, live.target(), {});
  live.set_suspended(false);
  EXPECT_NE(message_of<base::data_error>([&] {
              one.resume();
            }).find("era: was resumed by somebody else\nWhat was read meanwhile"),
            std::string::npos);
}

TEST(suspension, that_lasts_too_long_is_ended_by_the_guardian) {
  live_device live;
  dm::suspension one(live, live.target(), {milliseconds(50), true});
  EXPECT_GE(one.deadline(), std::chrono::steady_clock::now());
  EXPECT_TRUE(live.is_resumed_in_time());
  EXPECT_GE(std::chrono::steady_clock::now(), one.deadline());
  EXPECT_EQ(message_of<base::data_error>([&] { one.resume(); }),
            "era: was suspended for longer than 50 ms, and was resumed\n"
            "What was read meanwhile is of no one moment. Start again.");
  EXPECT_EQ(live.calls(), "suspend resume ");
}

TEST(suspension, that_lasts_too_long_leaves_the_next_one_of_somebody_else_alone) {
  live_device live;
  dm::suspension one(live, live.target(), {milliseconds(20), true});
  EXPECT_TRUE(live.is_resumed_in_time());
  live.set_suspended(true);
  EXPECT_THROW(one.resume(), base::data_error);
  EXPECT_TRUE(live.is_suspended());
}

TEST(suspension, that_lasts_too_long_is_no_success_even_if_the_guardian_cannot_end_it) {
  live_device live;
  live.before_call = [process = ::getpid()](const std::string& call) {
    if (::getpid() != process) {
      throw base::io_error("era: " + call + " failed");
    }
  };
  dm::suspension one(live, live.target(), {milliseconds(20), true});
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_TRUE(live.is_suspended());
  EXPECT_THROW(one.resume(), base::data_error);
  EXPECT_FALSE(live.is_suspended());
}

// The device mapper waits for I/O until after the deadline.
TEST(suspension, that_begins_after_its_deadline_is_ended_by_the_guardian) {
  live_device live;
  live.before_call = [](const std::string& call) {
    if (call == "suspend") {
      std::this_thread::sleep_for(milliseconds(200));
    }
  };
  dm::suspension one(live, live.target(), {milliseconds(1), true});
  EXPECT_TRUE(live.is_resumed_in_time());
  EXPECT_THROW(one.resume(), base::data_error);
  EXPECT_EQ(live.calls(), "suspend resume ");
}

TEST(suspension, that_cannot_be_ended_says_how_to_do_it_by_hand) {
  live_device live;
  dm::suspension one(live, live.target(), quietly);
  live.refuse("resume");
  EXPECT_EQ(message_of<base::io_error>([&] { one.resume(); }),
            "era: could not be resumed: era: refused: Invalid argument\n"
            "Resume it by hand: dmsetup resume era");
  EXPECT_TRUE(live.is_suspended());
  live.allow("resume");  // and the destructor tries again
}

TEST(suspension, is_ended_where_the_state_cannot_be_asked_for) {
  live_device live;
  {
    dm::suspension one(live, live.target(), quietly);
    live.refuse("find");
    EXPECT_THROW(one.resume(), base::io_error);
    live.allow("find");
  }
  EXPECT_FALSE(live.is_suspended());
}

// In this process only, or in the guardian as well.
TEST(suspension, is_ended_whichever_call_fails) {
  for (const bool everywhere : {false, true}) {
    int failures = 0;
    for (int k = 1;; ++k) {
      live_device live;
      const dm::live_target target = live.target();
      int calls = 0;
      live.before_call = [&, process = ::getpid()](const std::string& call) {
        if ((everywhere || ::getpid() == process) && ++calls == k) {
          throw base::io_error("era: " + call + " failed");
        }
      };
      bool failed = false;
      try {
        dm::suspension one(live, target, quietly);
        EXPECT_TRUE(live.is_suspended());
        one.resume();
      } catch (const base::io_error&) {
        failed = true;
      }
      EXPECT_FALSE(live.is_suspended()) << k;
      EXPECT_EQ(failed, calls >= k) << k;
      if (!failed) {
        break;
      }
      ++failures;
    }
    EXPECT_GE(failures, 5);
  }
}

TEST(suspension, is_ended_by_this_process_where_the_guardian_was_killed) {
  for (const bool too_late : {false, true}) {
    live_device live;
    {
      dm::suspension one(live, live.target(),
                         {too_late ? milliseconds(30) : milliseconds(30000), true});
      const auto guardian = only_child();
      if (!guardian) {
        GTEST_SKIP() << "skipped: this kernel does not list the children of a process";
      }
      ASSERT_EQ(::kill(*guardian, SIGKILL), 0);
      if (too_late) {
        std::this_thread::sleep_for(milliseconds(50));
        EXPECT_THROW(one.resume(), base::data_error);
      }
    }
    EXPECT_FALSE(live.is_suspended());
  }
}

TEST(suspension, that_nobody_can_end_is_spoken_of) {
  live_device live;
  testing::internal::CaptureStderr();
  {
    const dm::suspension one(live, live.target(), {});
    live.refuse("resume");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "era: could not be resumed\nResume it by hand: dmsetup resume era\n");
  EXPECT_TRUE(live.is_suspended());
}

TEST(suspension, ends_after_the_process_was_killed) {
  for (const int number : {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    live_device live;
    const pid_t child = start_child([&] {
      ::setpgid(0, 0);
      base::take_care_of_signals();
      const dm::suspension one(live, live.target(), quietly);
      ::kill(number == SIGKILL ? ::getpid() : 0, number);  // the group, as a terminal does
      for (;;) {
        ::pause();
      }
    });
    EXPECT_EQ(status_of(child), 128 + number);
    EXPECT_TRUE(live.is_resumed_in_time()) << number;
  }
}

}  // namespace
