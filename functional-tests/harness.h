// What every functional test stands on: running a built tool with its streams caught, temporary
// folders, and the metadata images of functional-tests/images with their recorded truth.
//
// Tests run the binaries, never the library, and compare bytes of stdout, stderr and the exit
// status. Each test case works in a folder of its own, so that they may run in parallel.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace harness {

struct result {
  int status = -1;  // exit status; 128 + signal if the process was killed
  std::string out;
  std::string err;
  std::uint64_t peak_memory = 0;  // resident, in bytes; with run_options::watch_memory
};

struct run_options {
  std::string input;        // bytes for standard input
  int seconds = 120;        // then the process is killed, and status is 128 + SIGKILL
  bool as_nobody = false;   // drop root first, for tests of permissions
  std::string folder;       // if not empty, the process runs there
  std::string stdout_path;  // if not empty, standard output goes there and `out` stays empty
  // Limit of the address space in bytes, 0 for none. Without effect where the environment says
  // ERA_SANITIZED=1, since sanitizers reserve terabytes.
  std::uint64_t memory_limit = 0;
  bool watch_memory = false;
};

// Runs `arguments[0]` (a path, or a name found on PATH) with the rest as its arguments.
result run(const std::vector<std::string>& arguments, const run_options& options = {});

// The path of one of our built tools, "era_check" and so on.
std::string tool(const std::string& name);

// Whether the tools were built with sanitizers, as far as the environment says (ERA_SANITIZED).
bool sanitized();

// Whether the long forms of the tests are wanted: the environment says ERA_LONG=1.
bool at_length();

// The names of all our tools that read metadata (check, dump, invalidate, stat), of those that the
// peer has too (era_restore as well), and of all tools.
const std::vector<std::string>& readers();
const std::vector<std::string>& metadata_tools();
const std::vector<std::string>& all_tools();

// A new empty folder that goes away with the object.
class temporary_folder {
 public:
  explicit temporary_folder(
      const std::filesystem::path& parent = std::filesystem::temp_directory_path());
  ~temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);
// A file of `bytes` zeros (sparse).
void make_zeroed(const std::string& path, std::uint64_t bytes);

// Where two texts differ, in words: the first line that is not the same. Empty if they are equal.
// For outputs of many megabytes, which nobody wants to see whole when a test fails.
std::string difference(const std::string& got, const std::string& expected);

// Prints rows of cells to standard output, the columns aligned.
void print_table(const std::vector<std::vector<std::string>>& rows);

// The last-written eras of a device as runs, and what they imply.
struct era_run {
  std::uint64_t first;
  std::uint64_t count;
  std::uint32_t era;
};

struct truth {
  std::uint32_t current_era;
  std::uint64_t nr_blocks;
  std::vector<era_run> runs;  // ascending; blocks in no run have era 0

  // The last-written era of every block.
  std::vector<std::uint32_t> eras() const;

  // What a whole dump --logical, and an invalidate since `since`, must print.
  std::string logical_xml(std::uint32_t block_size) const;
  std::string invalidate_xml(std::uint32_t since) const;
};

struct image {
  std::string name;  // "power_cut", "random/r003"
  std::uint64_t metadata_bytes;
  std::uint32_t block_size;
  bool current_writeset_open;
  truth live;
  std::optional<truth> snapshot;

  // Unpacks the metadata to `path`.
  void unpack(const std::string& path) const;
};

// All images, in the order of their names; under sanitizers every third, and not the largest. The
// short form of what takes long has every third anyway. And one by name.
const std::vector<image>& images();
const std::vector<image>& some_images();
const image& image_named(std::string_view name);

}  // namespace harness
