// What the tests of era_simulate share: a folder to run it in, scripts, and checks of its results.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace simulating {

using words = std::vector<std::string>;

// A folder in which era_simulate runs, so that scripts can name devices without a path.
class place {
 public:
  explicit place(const std::filesystem::path& parent = std::filesystem::temp_directory_path())
      : folder_(parent) {}

  std::string operator/(const std::string& name) const { return folder_ / name; }
  std::string path() const { return folder_.path(); }
  bool has(const std::string& name) const { return std::filesystem::exists(folder_ / name); }
  void remove(const std::string& name) const { std::filesystem::remove(folder_ / name); }

  harness::result run(const words& arguments, harness::run_options options = {}) const {
    options.folder = folder_.path();
    return fixtures::call("era_simulate", arguments, options);
  }

  // Runs a script that comes through standard input.
  harness::result script(const std::string& text, const words& options = {}) const {
    harness::run_options from_us;
    from_us.input = text;
    return run(options, from_us);
  }

 private:
  harness::temporary_folder folder_;
};

inline const std::string new_files = "device metadata 2048\ndevice origin 131072\n";
inline const std::string create = "create 0 131072 era metadata origin 128\n";
inline const std::string new_device = new_files + create;

inline const std::string no_device = "No such device or address: no device has been created\n";

inline void check_output(const harness::result& got, const std::string& expected) {
  CHECK(got.status == 0);
  CHECK(got.out == expected);
  CHECK(got.err == "");
}

// A failure whose message holds `reason`, after results that stay.
inline void check_failure(const harness::result& got, const std::string& results,
                          const std::string& reason) {
  CHECK(got.status == 1);
  CHECK(got.out == results);
  CHECK_THAT(got.err, Catch::Contains(reason) && Catch::EndsWith("\n"));
}

}  // namespace simulating
