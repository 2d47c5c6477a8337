// Devices of the device mapper that exist in memory only, for tests: a table, a status and what
// becomes of messages are the test's to say, and so is which call fails. A call that would hang on
// a real device fails the test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/error.h"
#include "device-mapper/devices.h"

namespace dm::test {

struct fake_device {
  dev_t number = 0;
  bool suspended = false;
  bool has_next_table = false;
  std::vector<target_line> table;
  std::vector<target_line> status;
  std::function<void(const std::string&)> on_message;  // may throw, and may change the status
};

class fake_devices : public devices {
 public:
  std::map<std::string, fake_device> all;
  std::vector<std::string> sent;  // "NAME MESSAGE", "NAME suspend", "NAME resume"; in order

  // Called before each call but release(), with its name; may throw.
  std::function<void(const std::string& call)> before_call;

  std::optional<device_state> find(const std::string& name_or_path) override {
    begin("find");
    const std::string folder = "/dev/mapper/";
    const std::string name =
        name_or_path.starts_with(folder) ? name_or_path.substr(folder.size()) : name_or_path;
    const auto found = all.find(name);
    if (found == all.end()) {
      return std::nullopt;
    }
    return device_state{name, found->second.number, found->second.suspended,
                        found->second.has_next_table};
  }

  std::vector<target_line> table(const std::string& name) override {
    begin("table");
    return device(name).table;
  }

  std::vector<target_line> status(const std::string& name) override {
    begin("status");
    return awake(name).status;
  }

  void message(const std::string& name, const std::string& text) override {
    begin("message");
    fake_device& to = awake(name);
    sent.push_back(name + " " + text);
    if (to.on_message) {
      to.on_message(text);
    }
  }

  void suspend(const std::string& name) override {
    begin("suspend");
    sent.push_back(name + " suspend");
    device(name).suspended = true;
  }

  void resume(const std::string& name) override {
    begin("resume");
    sent.push_back(name + " resume");
    device(name).suspended = false;
  }

  void release() override {}

 protected:
  void begin(const std::string& call) const {
    if (before_call) {
      before_call(call);
    }
  }

 private:
  fake_device& device(const std::string& name) {
    const auto found = all.find(name);
    if (found == all.end()) {
      throw base::io_error(name + ": No such device or address");
    }
    return found->second;
  }

  fake_device& awake(const std::string& name) {
    fake_device& found = device(name);
    EXPECT_FALSE(found.suspended) << "this would hang: " << name;
    return found;
  }
};

}  // namespace dm::test
