// What is done to an era device, as data: written by hand, at random from a seed, or read from the
// log of an image. guest_model.h says what the metadata must say afterwards, guest_script.h how a
// real kernel is made to do it.
//
// A schedule says nothing about names of devices or commands. Plain values, safe to share once
// built.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kernel {

enum class action {
  write,
  write_sync,
  write_buffered,
  write_zeroes,
  discard,
  read,
  flush,
  message,
  refused,  // a message that must fail
  suspend,
  resume,
  reload,  // suspend, load a table of another length or the same, resume
  settle,  // wait for digestion
  status,
};

struct operation {
  action what;
  std::uint64_t sector = 0;   // of I/O
  std::uint64_t sectors = 0;  // of I/O; of a reload the new length
  std::string message = {};
};

enum class ending { removed, power_cut };

// From the creation of the device (load a table, resume) to its end.
struct session {
  std::uint64_t length;  // sectors
  std::vector<operation> operations = {};
  ending end = ending::removed;
};

// Each session finds the metadata as the one before left it; the first finds zeros, unless it is
// given other metadata.
struct guest_schedule {
  std::string name;
  std::uint32_t block_size;  // sectors
  std::uint64_t metadata_bytes = 1 << 20;
  std::vector<session> sessions = {};

  // The sectors that an origin must have.
  std::uint64_t origin_sectors() const;
};

// Writes a schedule down; blocks are data blocks, cut at the device's end.
class author {
 public:
  author(std::string name, std::uint32_t block_size, std::uint64_t length);

  author& io(action what, std::uint64_t first_block, std::uint64_t blocks = 1);
  author& io_sectors(action what, std::uint64_t sector, std::uint64_t sectors);
  author& write(std::uint64_t first_block, std::uint64_t blocks = 1);
  author& write_zeroes(std::uint64_t first_block, std::uint64_t blocks = 1);
  author& message(const std::string& text);
  author& refused(const std::string& text);
  author& checkpoint() { return message("checkpoint"); }
  author& take_snapshot() { return message("take_metadata_snap"); }
  author& drop_snapshot() { return message("drop_metadata_snap"); }
  author& flush() { return add({action::flush}); }
  author& suspend() { return add({action::suspend}); }
  author& resume() { return add({action::resume}); }
  author& settle() { return add({action::settle}); }
  author& status() { return add({action::status}); }
  author& reload(std::uint64_t length);

  author& cut_power();
  // Begins another session, of the same length or another.
  author& create_again() { return create_again(length_); }
  author& create_again(std::uint64_t length);

  author& metadata_bytes(std::uint64_t bytes);
  guest_schedule finish() const { return schedule_; }

 private:
  author& add(operation what);

  guest_schedule schedule_;
  std::uint64_t length_;
};

// A random schedule, the same for the same seed: 1 to 3 sessions of all that author can do, with
// any block size that is a multiple of 8 sectors, whole and partial blocks, snapshots taken,
// dropped and refused, and devices that grow and shrink.
guest_schedule random_schedule(std::uint64_t seed);

// What metadata of so many data blocks that is there already goes through: it is opened with the
// same length, written to, all there is is digested, and it goes on.
guest_schedule life_after(const std::string& name, std::uint32_t block_size,
                          std::uint64_t nr_blocks);

}  // namespace kernel
