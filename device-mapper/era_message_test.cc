#include "device-mapper/era_message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_test_support.h"
#include "device-mapper/fake_devices_test_support.h"

namespace {

using base::test::message_of;
using dm::era_message;

class an_era_device : public testing::Test {
 protected:
  void SetUp() override {
    era().table = {{0, 131072, "era", "254:1 254:2 128"}};
    set_status("8 10/256 12 -");
  }

  dm::test::fake_device& era() { return fake_.all["era"]; }
  void set_status(const std::string& words) { era().status = {{0, 131072, "era", words}}; }
  void send(era_message message) { dm::send(fake_, "era", message); }
  std::string refusal_of(era_message message) {
    return message_of<base::error>([&] { send(message); });
  }

  dm::test::fake_devices fake_;
};

TEST(era_message, is_named_in_any_case_and_in_full) {
  EXPECT_EQ(dm::era_message_named("checkpoint"), era_message::checkpoint);
  EXPECT_EQ(dm::era_message_named("CheckPoint"), era_message::checkpoint);
  EXPECT_EQ(dm::era_message_named("TAKE_METADATA_SNAP"), era_message::take_metadata_snap);
  EXPECT_EQ(dm::era_message_named("drop_metadata_snap"), era_message::drop_metadata_snap);
  for (const std::string text : {"", "hello", "checkpoints", "check", " checkpoint", "status"}) {
    EXPECT_EQ(dm::era_message_named(text), std::nullopt) << text;
  }
}

TEST_F(an_era_device, is_sent_each_message_by_its_name) {
  send(era_message::checkpoint);
  send(era_message::take_metadata_snap);
  set_status("8 10/256 13 41");
  send(era_message::checkpoint);
  send(era_message::drop_metadata_snap);
  EXPECT_EQ(fake_.sent, (std::vector<std::string>{"era checkpoint", "era take_metadata_snap",
                                                  "era checkpoint", "era drop_metadata_snap"}));
}

TEST_F(an_era_device, is_not_sent_what_it_would_refuse) {
  EXPECT_EQ(refusal_of(era_message::drop_metadata_snap),
            "era: no snap to drop\nNo metadata snapshot is held.");
  set_status("8 10/256 12 41");
  EXPECT_EQ(refusal_of(era_message::take_metadata_snap),
            "era: metadata snapshot already exists\n"
            "If nobody uses it any more, drop_metadata_snap drops it.");
  EXPECT_TRUE(fake_.sent.empty());
}

TEST_F(an_era_device, is_sent_nothing_while_it_is_suspended_or_has_failed) {
  era().suspended = true;
  for (const era_message message : dm::all_era_messages) {
    EXPECT_TRUE(refusal_of(message).starts_with("era: is suspended"));
  }
  era().suspended = false;
  set_status("Error");
  for (const era_message message : dm::all_era_messages) {
    EXPECT_TRUE(refusal_of(message).starts_with("era: the target has failed"));
  }
  EXPECT_TRUE(fake_.sent.empty());
}

TEST_F(an_era_device, is_the_only_kind_that_is_sent_anything) {
  era().table.front().type = "cache";
  EXPECT_EQ(refusal_of(era_message::checkpoint),
            "era: not a device of the target era, but of: cache");
  EXPECT_TRUE(message_of<base::io_error>([&] {
                dm::send(fake_, "nothing", era_message::checkpoint);
              }).starts_with("nothing: no such device"));
  EXPECT_TRUE(fake_.sent.empty());
}

TEST_F(an_era_device, that_refuses_is_asked_again_why) {
  const std::string refused = "era: message refused: Invalid argument";
  const auto refuse_with = [&](const std::string& status) {
    era().on_message = [this, status, refused](const std::string&) {
      set_status(status);
      throw base::io_error(refused);
    };
  };
  refuse_with("8 10/256 12 -");
  EXPECT_EQ(refusal_of(era_message::checkpoint), refused);
  refuse_with("8 10/256 13 41");  // somebody else took one in this very moment
  EXPECT_TRUE(refusal_of(era_message::take_metadata_snap)
                  .starts_with("era: metadata snapshot already exists\n"));
  refuse_with("8 10/256 14 -");
  EXPECT_TRUE(refusal_of(era_message::drop_metadata_snap).starts_with("era: no snap to drop\n"));
  set_status("8 10/256 12 -");
  refuse_with("Error");
  EXPECT_TRUE(refusal_of(era_message::checkpoint).starts_with("era: the target has failed"));
}

TEST_F(an_era_device, shows_its_table_and_its_status_as_dmsetup_prints_them) {
  const dm::live_target device = dm::require_target(fake_, "era", dm::era_target);
  EXPECT_EQ(dm::text_of(device.table), "0 131072 era 254:1 254:2 128");
  EXPECT_EQ(dm::text_of(dm::status_line_of(fake_, device)), "0 131072 era 8 10/256 12 -");
  set_status("Error");
  EXPECT_EQ(dm::text_of(dm::status_line_of(fake_, device)), "0 131072 era Error");
  era().status.clear();
  EXPECT_EQ(message_of<base::data_error>([&] { dm::status_line_of(fake_, device); }),
            "era: its status is not understood: it has 0 lines");
  era().suspended = true;
  EXPECT_TRUE(message_of<base::data_error>([&] {
                dm::status_line_of(fake_, device);
              }).starts_with("era: is suspended"));
}

}  // namespace
