// Where the commands of documents are run: a folder with devices, files and stand-ins
// (stand-ins/README.md), as a reader has them before a procedure begins.
//
// - The era devices `era` and `data`, of 1024 data blocks of 64 KiB; the current era is above 12.
// - The metadata devices /dev/vg/era_meta and larger ones to go to; origins; a cache.
// - `copy`, `copy.img` and /backup/data.img hold an older state of the device; dumps of its
// metadata. Not safe for threads.
#pragma once

#include <string>
#include <vector>

#include "documents.h"
#include "harness.h"

namespace documents {

class world {
 public:
  // They are made once, and then copied.
  static world anew();

  // Runs the commands one after the other in one shell, up to the first that fails.
  std::vector<harness::result> run(const std::vector<command>& commands) const;

  // More is written to the devices, which are in use.
  void change() const;

  // Whether the copies that the commands name are what the device holds now; the name of the first
  // that is not, or "".
  std::string wrong_copy(const std::vector<command>& commands) const;

  std::string operator/(const std::string& name) const { return folder_ / name; }

 private:
  explicit world(const world* like);
  void make_devices() const;
  void make_tables() const;
  void make_programs() const;
  void simulate(const std::string& script) const;
  void add_device(const std::string& name, const std::string& table) const;
  std::string inside(const std::string& text) const;
  std::string outside(const std::string& text) const;

  harness::temporary_folder folder_;
};

}  // namespace documents
