// What the tests of several files build for themselves: XML documents and the metadata restored
// from them, damaged images, loop devices, and calls of a tool with all that it needs.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control_server.h"
#include "harness.h"

namespace fixtures {

constexpr std::size_t block_bytes = 4096;

std::uint32_t u32_at(const std::string& bytes, std::size_t offset);
std::uint64_t u64_at(const std::string& bytes, std::size_t offset);

// Unpacks an image to `path` with a changed byte in each of the blocks that the superblock names in
// `fields` (offsets), and returns these blocks.
std::vector<std::uint64_t> unpack_damaged(const harness::image& image,
                                          const std::vector<std::size_t>& fields,
                                          const std::string& path);

struct writeset {
  std::uint32_t era;
  std::uint32_t nr_bits;
  std::set<std::uint32_t> bits;
};

// Metadata as era_dump should print it: writesets in ascending order of their eras.
struct document {
  std::uint32_t block_size = 128;
  std::uint32_t nr_blocks = 0;
  std::uint32_t current_era = 0;
  std::vector<writeset> writesets = {};
  std::map<std::uint32_t, std::uint32_t> eras = {};  // of blocks; the others have 0

  std::string xml() const { return dump(false); }
  std::string compact_xml() const { return dump(true); }

 private:
  std::string dump(bool compact) const;
};

// The example of doc/format.md 10.1.
const document& example();

// Restores `xml` to a new file of `bytes`; throws if era_restore refuses.
void restore(const std::string& xml, const std::string& path, std::uint64_t bytes = 1 << 20);
// Makes `path` what a restore leaves that failed after it had begun to write; throws if it did not.
void leave_interrupted_restore(const std::string& path);
// Whether it is: block 0 holds a line of text and zeros, and no reader takes it for metadata.
bool holds_interrupted_restore(const std::string& path);
// A document so large that no restore can hold it until it is complete, without its end; and the
// size of a file that could take it.
const std::string& large_unfinished_xml();
constexpr std::uint64_t large_device_bytes = 40 << 20;
// The output of era_dump; throws if it fails.
std::string dump(const std::string& path, const std::vector<std::string>& options = {});

harness::result call(const std::string& tool, const std::vector<std::string>& arguments,
                     const harness::run_options& options = {});

// Good inputs for every tool, and an output for era_restore.
class bench {
  harness::temporary_folder folder_;

 public:
  bench();
  std::string operator/(const std::string& name) const { return folder_ / name; }
  std::string path() const { return folder_.path(); }

  const std::string metadata;  // as a kernel left it
  const std::string xml;
  const std::string device;  // zeros, and large enough
  const std::string cache;   // XML that maps the first data blocks of `metadata`
  const std::string script;  // prints a line, and touches no file
  const std::string origin;  // zeros, as many as the device of `metadata` has bytes
  const std::string copy;    // is not there
  const std::string socket;  // of a server that answers every question

  const std::string& good_input(const std::string& tool) const;

  // The arguments that make `tool` read `input`, and `more`, which come first.
  std::vector<std::string> arguments(const std::string& tool, const std::string& input,
                                     const std::vector<std::string>& more = {}) const;
  harness::result read(const std::string& tool, const std::string& input,
                       const std::vector<std::string>& more = {},
                       const harness::run_options& options = {}) const;

 private:
  harness::control_server server_;
};

// The tools of thin-provisioning-tools, which have the names of ours: in the folder that the
// environment variable PEER_FOLDER names, or where Debian puts them.
const std::string& peer_folder();

// 0.9.0 or 1.1.0; empty if they are not there, or another version.
const std::string& peer_version();

// Whether it is one of these; whether it is 0.9.0. Prints what is skipped if not.
bool peer_is_here();
bool peer_is_0_9_0();
// Whether either has said no.
bool any_peer_skipped();

// The names in a folder, to see whether something was left over.
std::set<std::string> names_in(const std::string& folder);

// Whether the user nobody can run our tools where they lie; says so in the test's output
// if not.
bool nobody_can_run_tools();

// Writes as much of a btrfs as older libblkids look at, which leaves block 0 zero. Says so in the
// test's output where this one wants more.
bool make_btrfs(const std::string& path);

// A block device on a file, where the system lets us make one.
class loop_device {
 public:
  explicit loop_device(const std::string& file);
  ~loop_device();
  loop_device(const loop_device&) = delete;
  loop_device& operator=(const loop_device&) = delete;

  // False, and says why in the test's output.
  bool available() const { return !path_.empty(); }
  const std::string& path() const { return path_; }

  // As mounting or mapping it would.
  void occupy();

 private:
  std::string path_;
  int holder_ = -1;
};

}  // namespace fixtures
