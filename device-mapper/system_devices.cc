// The device mapper of the running kernel, by libdevmapper.
#include <libdevmapper.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "device-mapper/devices.h"

namespace dm {
namespace {

class task {
 public:
  task(int type, const std::string& name) : name_(name), task_(::dm_task_create(type)) {
    if (task_ == nullptr) {
      throw base::io_error(name + ": the device mapper cannot be asked\n" +
                           (::geteuid() == 0 ? "This kernel has none: modprobe dm_mod may help."
                                             : "Only root may ask it."));
    }
  }
  ~task() { ::dm_task_destroy(task_); }
  task(const task&) = delete;
  task& operator=(const task&) = delete;

  ::dm_task* get() { return task_; }

  void require(int done) {
    if (done == 0) {
      throw base::io_error(base::system_message(name_, ENOMEM));
    }
  }

  bool run() { return ::dm_task_run(task_) != 0; }

  int error_number() { return ::dm_task_get_errno(task_); }

  [[noreturn]] void refuse(const std::string& what) {
    const int number = error_number();
    const std::string advice =
        number == EACCES || number == EPERM ? "Only root may ask the device mapper." : "";
    throw base::io_error(base::system_message(name_ + ": " + what, number, advice));
  }

 private:
  std::string name_;
  ::dm_task* task_;
};

class libdevmapper final : public devices {
 public:
  libdevmapper() { ::dm_log_with_errno_init(say_nothing); }

  std::optional<device_state> find(const std::string& name_or_path) override {
    task asking(DM_DEVICE_INFO, name_or_path);
    if (!name_device(asking, name_or_path)) {
      return std::nullopt;
    }
    ::dm_info info{};
    if (!asking.run() || ::dm_task_get_info(asking.get(), &info) == 0) {
      if (asking.error_number() == ENXIO || asking.error_number() == ENODEV) {
        return std::nullopt;
      }
      asking.refuse("the device mapper cannot be asked");
    }
    if (info.exists == 0) {
      return std::nullopt;
    }
    return device_state{::dm_task_get_name(asking.get()), ::makedev(info.major, info.minor),
                        info.suspended != 0, info.inactive_table != 0};
  }

  std::vector<target_line> table(const std::string& name) override {
    return lines_of(DM_DEVICE_TABLE, name);
  }

  std::vector<target_line> status(const std::string& name) override {
    return lines_of(DM_DEVICE_STATUS, name);
  }

  void message(const std::string& name, const std::string& text) override {
    task sending(DM_DEVICE_TARGET_MSG, name);
    sending.require(::dm_task_set_name(sending.get(), name.c_str()));
    sending.require(::dm_task_set_sector(sending.get(), 0));
    sending.require(::dm_task_set_message(sending.get(), text.c_str()));
    if (!sending.run()) {
      sending.refuse("message " + text.substr(0, text.find(' ')));
    }
  }

  void suspend(const std::string& name) override {
    // Neither without flush nor without freezing, as is the default.
    run_on(DM_DEVICE_SUSPEND, name, "it cannot be suspended");
  }

  void resume(const std::string& name) override {
    run_on(DM_DEVICE_RESUME, name, "it cannot be resumed");
  }

  void release() override { ::dm_lib_release(); }

 private:
  // The library would print on standard error what goes wrong.
  static void say_nothing(int, const char*, int, int, const char*, ...) {}

  static void run_on(int type, const std::string& name, const std::string& failure) {
    task doing(type, name);
    doing.require(::dm_task_set_name(doing.get(), name.c_str()));
    // No node is made or looked for: no name changes.
    doing.require(::dm_task_set_add_node(doing.get(), DM_ADD_NODE_ON_CREATE));
    if (!doing.run()) {
      doing.refuse(failure);
    }
  }

  // False if a path leads to no block device.
  static bool name_device(task& asking, const std::string& name_or_path) {
    if (name_or_path.find('/') == std::string::npos) {
      asking.require(::dm_task_set_name(asking.get(), name_or_path.c_str()));
      return true;
    }
    struct stat info {};
    if (::stat(name_or_path.c_str(), &info) != 0 || !S_ISBLK(info.st_mode)) {
      return false;
    }
    asking.require(::dm_task_set_major(asking.get(), static_cast<int>(major(info.st_rdev))));
    asking.require(::dm_task_set_minor(asking.get(), static_cast<int>(minor(info.st_rdev))));
    return true;
  }

  static std::vector<target_line> lines_of(int type, const std::string& name) {
    task asking(type, name);
    asking.require(::dm_task_set_name(asking.get(), name.c_str()));
    if (!asking.run()) {
      asking.refuse(type == DM_DEVICE_TABLE ? "its table" : "its status");
    }
    std::vector<target_line> lines;
    void* next = nullptr;
    do {
      std::uint64_t start = 0;
      std::uint64_t length = 0;
      char* target = nullptr;
      char* words = nullptr;
      next = ::dm_get_next_target(asking.get(), next, &start, &length, &target, &words);
      if (target != nullptr) {
        lines.push_back({start, length, target, words == nullptr ? "" : words});
      }
    } while (next != nullptr);
    return lines;
  }
};

}  // namespace

std::unique_ptr<devices> system_devices() {
  return std::make_unique<libdevmapper>();
}

}  // namespace dm
