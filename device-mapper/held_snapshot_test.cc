#include "device-mapper/held_snapshot.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/file_test_support.h"
#include "base/process_test_support.h"
#include "device-mapper/fake_devices_test_support.h"

namespace {

using base::test::message_of;
using base::test::start_child;
using base::test::status_of;

constexpr std::uint64_t own_block = 41;
constexpr int seconds_at_most = 10;

// A device as the kernel has it, for a process and its guardian alike: what is held is in a file.
class live_device : public dm::test::fake_devices {
 public:
  live_device() {
    device_ = {"era", 0, folder_ / "metadata", folder_ / "origin", 131072, 128};
    base::test::write_file(device_.metadata, std::string(4096, '\0'));
    dm::test::fake_device& made = all["era"];
    made.table = {{0, 131072, "era", "254:0 254:16 128"}};
    made.on_message = [this](const std::string& text) { obey(text); };
    hold("-");
  }

  const dm::era_device& device() const { return device_; }
  dm::test::fake_device& era() { return all["era"]; }

  std::string held() const { return base::test::read_file(folder_ / "held"); }
  void hold(const std::string& block) { base::test::write_file(folder_ / "held", block); }

  void put_to_sleep() { base::test::write_file(folder_ / "suspended", ""); }
  void wake() { std::filesystem::remove(folder_ / "suspended"); }
  void refuse(const std::string& message) { base::test::write_file(folder_ / message, ""); }

  std::optional<dm::device_state> find(const std::string& name) override {
    if (!all.empty()) {
      era().suspended = folder_.names().contains("suspended");
    }
    return fake_devices::find(name);
  }

  std::vector<dm::target_line> status(const std::string& name) override {
    era().status = {{0, 131072, "era", "8 10/256 12 " + held()}};
    return fake_devices::status(name);
  }

 private:
  void obey(const std::string& text) {
    if (folder_.names().contains(text) || (text == "take_metadata_snap") != (held() == "-")) {
      throw base::io_error("era: message " + text + ": Invalid argument");
    }
    hold(text == "take_metadata_snap" ? std::to_string(own_block) : "-");
  }

  base::test::temporary_folder folder_;
  dm::era_device device_;
};

dm::snapshot_options quietly() {
  return {false, true};
}

bool is_locked(const dm::era_device& device) {
  const base::file_handle node(::open(device.metadata.c_str(), O_RDONLY | O_CLOEXEC));
  return ::flock(node.fd(), LOCK_EX | LOCK_NB) != 0;
}

TEST(held_snapshot, is_taken_and_dropped) {
  live_device live;
  dm::held_snapshot snapshot(live, live.device(), {});
  EXPECT_EQ(live.held(), "41");
  EXPECT_TRUE(is_locked(live.device()));
  snapshot.drop();
  EXPECT_EQ(live.held(), "-");
  EXPECT_FALSE(is_locked(live.device()));
  EXPECT_EQ(live.sent,
            (std::vector<std::string>{"era take_metadata_snap", "era drop_metadata_snap"}));
}

TEST(held_snapshot, is_dropped_when_the_object_goes) {
  live_device live;
  { const dm::held_snapshot snapshot(live, live.device(), {}); }
  EXPECT_EQ(live.held(), "-");
  EXPECT_FALSE(is_locked(live.device()));
}

TEST(held_snapshot, stays_when_it_is_kept) {
  live_device live;
  {
    dm::held_snapshot snapshot(live, live.device(), {});
    snapshot.keep();
  }
  EXPECT_EQ(live.held(), "41");
  EXPECT_FALSE(is_locked(live.device()));
}

TEST(held_snapshot, of_somebody_else_is_left_alone) {
  live_device live;
  live.hold("9");
  try {
    const dm::held_snapshot snapshot(live, live.device(), {});
    ADD_FAILURE() << "not refused";
  } catch (const dm::snapshot_held& found) {
    EXPECT_STREQ(found.what(), "era: a metadata snapshot is held already");
    EXPECT_EQ(found.status().held_snapshot, std::optional<std::uint64_t>(9));
    EXPECT_EQ(found.status().current_era, 12U);
  }
  EXPECT_EQ(live.held(), "9");
  EXPECT_TRUE(live.sent.empty());
}

TEST(held_snapshot, replaces_that_of_somebody_else_when_told_to) {
  live_device live;
  live.hold("9");
  dm::held_snapshot snapshot(live, live.device(), {true, false});
  EXPECT_EQ(live.held(), "41");
  snapshot.drop();
  EXPECT_EQ(live.held(), "-");
}

TEST(held_snapshot, that_somebody_else_has_taken_meanwhile_is_not_dropped) {
  for (const std::string other : {"-", "9"}) {
    live_device live;
    dm::held_snapshot dropped(live, live.device(), {});
    live.hold(other);
    dropped.drop();
    EXPECT_EQ(live.held(), other);
    live.hold("-");
    {
      const dm::held_snapshot gone(live, live.device(), {});
      live.hold(other);
    }
    EXPECT_EQ(live.held(), other);
  }
}

TEST(held_snapshot, is_not_taken_of_a_suspended_device) {
  live_device live;
  live.put_to_sleep();
  EXPECT_NE(message_of<base::data_error>([&] {
              dm::held_snapshot(live, live.device(), {});
            }).find("era: is suspended"),
            std::string::npos);
  EXPECT_TRUE(live.sent.empty());
}

TEST(held_snapshot, is_left_where_the_device_was_suspended_meanwhile) {
  live_device live;
  dm::held_snapshot snapshot(live, live.device(), {});
  live.put_to_sleep();
  EXPECT_EQ(message_of<base::io_error>([&] { snapshot.drop(); }),
            "era: its metadata snapshot could not be dropped: era: is suspended, and would not "
            "answer before it is resumed\n"
            "Drop it when the device can be sent messages: dmsetup message era 0 "
            "drop_metadata_snap");
  EXPECT_EQ(live.sent.size(), 1U);
  EXPECT_FALSE(is_locked(live.device()));
}

TEST(held_snapshot, is_left_with_a_word_where_the_guardian_finds_the_device_suspended) {
  live_device live;
  testing::internal::CaptureStderr();
  {
    const dm::held_snapshot snapshot(live, live.device(), {});
    live.put_to_sleep();
  }
  EXPECT_NE(testing::internal::GetCapturedStderr().find("could not be dropped\nDrop it"),
            std::string::npos);
  EXPECT_EQ(live.held(), "41");
  live.wake();
  live.hold("-");
  testing::internal::CaptureStderr();
  {
    const dm::held_snapshot quiet(live, live.device(), quietly());
    live.put_to_sleep();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(held_snapshot, that_cannot_be_taken_or_dropped_is_an_error) {
  live_device live;
  live.refuse("take_metadata_snap");
  EXPECT_EQ(message_of<base::io_error>([&] { dm::held_snapshot(live, live.device(), {}); }),
            "era: message take_metadata_snap: Invalid argument");
  EXPECT_EQ(live.sent.size(), 1U);
  EXPECT_FALSE(is_locked(live.device()));

  live_device other;
  dm::held_snapshot snapshot(other, other.device(), {});
  other.refuse("drop_metadata_snap");
  EXPECT_NE(message_of<base::io_error>([&] {
              snapshot.drop();
            }).find("could not be dropped: era: message drop_metadata_snap: Invalid argument\n"),
            std::string::npos);
  EXPECT_EQ(other.held(), "41");
}

TEST(held_snapshot, that_somebody_else_takes_in_that_very_moment_is_left_alone) {
  live_device live;
  live.era().on_message = [&](const std::string& text) {
    if (text == "drop_metadata_snap") {
      live.hold("-");
      return;
    }
    live.hold("9");
    throw base::io_error("era: message " + text + ": Invalid argument");
  };
  EXPECT_THROW(dm::held_snapshot(live, live.device(), {}), base::io_error);
  EXPECT_EQ(live.held(), "9");
  EXPECT_EQ(live.sent.size(), 1U);
}

TEST(held_snapshot, of_a_device_that_was_resized_meanwhile_is_dropped) {
  live_device live;
  live.era().table.front().length += 8;
  EXPECT_EQ(message_of<base::data_error>([&] { dm::held_snapshot(live, live.device(), {}); }),
            "era: was resized in this very moment\nStart again.");
  EXPECT_EQ(live.held(), "-");
}

TEST(held_snapshot, of_a_device_that_has_gone_is_an_error) {
  live_device live;
  dm::held_snapshot snapshot(live, live.device(), {});
  live.all.clear();
  EXPECT_NE(message_of<base::io_error>([&] { snapshot.drop(); }).find("no such device"),
            std::string::npos);
}

TEST(held_snapshot, is_refused_while_another_process_has_one) {
  live_device live;
  const dm::held_snapshot snapshot(live, live.device(), {});
  base::test::in_child([&] {
    const std::string message = message_of<base::data_error>([&] {
      dm::held_snapshot(live, live.device(), {true, false});
    });
    EXPECT_EQ(message, "era: another program has locked its metadata device, " +
                           live.device().metadata +
                           ": perhaps an era tool that reads it\nStart again when that has ended.");
  });
  EXPECT_EQ(live.held(), "41");
}

// The process is ended at every message that it sends, before and after that has had its effect,
// and later, while the snapshot is read.
enum class moment { before_take, after_take, reading, before_drop, after_drop };
constexpr moment moments[] = {moment::before_take, moment::after_take, moment::reading,
                              moment::before_drop, moment::after_drop};

class doomed_device final : public live_device {
 public:
  doomed_device(moment when, int signal) : when_(when), signal_(signal), process_(::getpid()) {}

  void run() {
    process_ = ::getpid();
    dm::held_snapshot snapshot(*this, device(), {});
    end_at(moment::reading);
    snapshot.drop();
  }

  void message(const std::string& name, const std::string& text) override {
    const bool taking = text == "take_metadata_snap";
    end_at(taking ? moment::before_take : moment::before_drop);
    live_device::message(name, text);
    end_at(taking ? moment::after_take : moment::after_drop);
  }

 private:
  void end_at(moment now) const {
    if (now == when_ && ::getpid() == process_) {
      ::raise(signal_);
    }
  }

  moment when_;
  int signal_;
  pid_t process_;
};

TEST(held_snapshot, is_dropped_when_a_signal_ends_the_process_at_any_moment) {
  for (const moment when : moments) {
    doomed_device live(when, SIGTERM);
    const pid_t tool = start_child([&] {
      base::take_care_of_signals();
      live.run();
    });
    EXPECT_EQ(status_of(tool), 128 + SIGTERM);
    EXPECT_EQ(live.held(), "-");
    EXPECT_FALSE(is_locked(live.device()));
  }
}

TEST(held_snapshot, is_dropped_after_a_kill_at_any_moment) {
  for (const moment when : moments) {
    doomed_device live(when, SIGKILL);
    const pid_t tool = start_child([&] { live.run(); });
    EXPECT_EQ(status_of(tool), 128 + SIGKILL);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds_at_most);
    while (is_locked(live.device()) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_FALSE(is_locked(live.device()));
    EXPECT_EQ(live.held(), "-");
  }
}

}  // namespace
