// What is asked of live devices of the device mapper, as an interface: libdevmapper answers in the
// tools (system_devices()), and a fake in tests.
//
// A message or a status to a suspended device hangs until somebody resumes it. So the state is
// looked at first, always: require_target() does, and nothing is sent to what it did not return.
// Not thread safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dm {

// One line of a table or status, without the words that all lines have.
struct target_line {
  std::uint64_t start = 0;   // sectors
  std::uint64_t length = 0;  // sectors
  std::string type;          // "era"
  std::string words;         // the parameters of a table, or what the target says of itself
};

// The whole line, as dmsetup prints it: "0 131072 era 254:1 254:2 128".
std::string text_of(const target_line& line);

struct device_state {
  std::string name;
  dev_t number = 0;
  bool suspended = false;
  bool has_next_table = false;  // loaded, and put in place by a resume
};

// Every call throws base::io_error, naming the device, where the device mapper can't be asked or
// refuses. But for find(), they want a device that exists, by its name.
class devices {
 public:
  virtual ~devices() = default;

  // The device of this name, or the one that a path such as /dev/mapper/NAME leads to; empty if
  // there is none.
  virtual std::optional<device_state> find(const std::string& name_or_path) = 0;

  virtual std::vector<target_line> table(const std::string& name) = 0;

  // The status of a device that is not suspended. The target commits what it holds back first.
  virtual std::vector<target_line> status(const std::string& name) = 0;

  // Sends a message to the target that begins at sector 0 of a device that is not suspended.
  virtual void message(const std::string& name, const std::string& text) = 0;

  // Suspends a device: freezes the file system above it, if there is one, so that it is whole on
  // the disk, and returns when all I/O that was under way is done. Until it is resumed, what is
  // read from it or written to it waits, and so does whoever asks for a status.
  virtual void suspend(const std::string& name) = 0;

  // Resumes it, with the table that was loaded last. Nothing happens to a device that is not
  // suspended and has no other table loaded.
  virtual void resume(const std::string& name) = 0;

  // Closes what is kept open from call to call; the next call opens it again. For a process that is
  // about to fork, and whose child closes all that it does not know.
  virtual void release() = 0;
};

// Those of the running kernel.
std::unique_ptr<devices> system_devices();

// A live device with one target.
struct live_target {
  std::string name;
  dev_t number = 0;
  target_line table;
};

// The device of this name, found to be one target of this type and not suspended. Throws
// base::io_error if there is none, and base::data_error for what is of another type or suspended.
live_target require_target(devices& from, const std::string& name_or_path, const std::string& type);

// The path of the node of a block device that a table names as MAJOR:MINOR. Throws base::io_error
// if the machine has none.
std::string node_of(const std::string& number);

}  // namespace dm
