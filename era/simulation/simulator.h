// Runs the commands of a simulation script: an era target under a device mapper that knows of
// nothing else, and a power supply that can fail. Results go to an output, one line each, as
// dmsetup would print them.
//
// With verification a model is kept beside the target (era_model.h). After each power cut and
// removal, and at the end, the metadata is read back by the code of the tools and held against it.
// Not thread safe.
#pragma once

#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/output.h"
#include "era/simulation/era_model.h"
#include "era/simulation/script.h"
#include "era/target/target.h"

namespace era {

// The world outside the target.
class simulated_devices : public device_finder {
 public:
  // Makes a device of zeros. Throws base::io_error.
  virtual void make(const std::string& name, std::uint64_t nr_sectors) = 0;

  // The power fails before `writes` more blocks of metadata have been written.
  virtual void fail_power_after(std::uint64_t writes) = 0;
  virtual bool has_power_failed() const = 0;

  // Of what was not flushed, a choice made by `seed` is lost. After it, the power is back.
  virtual void cut_power(std::uint64_t seed) = 0;
};

class simulator {
 public:
  simulator(simulated_devices& devices, base::output& out, bool verify)
      : devices_(devices), out_(out), verify_(verify) {}

  // Throws base::error when the command fails, or does not fail although it must, or when
  // verification finds a difference.
  void run(const script_command& command);

  // To be called after the last command.
  void finish();

  // With verification: what the metadata must say if the power is cut right now, while run(command)
  // is at work: each block what it says before or after the command.
  struct expectation {
    era_model before;
    era_model after;
  };
  expectation if_cut_during(const script_command& command) const;

 private:
  void execute(const script_command& command);
  void failed(const script_command& command);
  void print_status();
  void load(const std::string& table, std::unique_ptr<target>& into);
  void create(const std::string& table);
  void resume();
  void bring_up();
  void remove();
  void request_sectors(const script_command& command);
  void write(std::uint64_t sector, std::uint64_t nr_sectors);
  void read(std::uint64_t sector, std::uint64_t nr_sectors);
  void step(std::uint64_t count);
  void cut_power(std::uint64_t seed);
  void lose_devices();
  target& created() const;
  void note(const script_command& command);
  void note(const script_command& command, era_model& in) const;
  void verify_metadata();

  simulated_devices& devices_;
  base::output& out_;
  bool verify_;
  std::unique_ptr<target> target_;  // none: no device has been created
  std::unique_ptr<target> loaded_;  // by reload, takes the other's place at the resume
  bool power_on_ = true;
  std::uint64_t power_seed_ = 0;  // of the cut to come
  std::uint64_t writes_done_ = 0;

  std::string metadata_;           // that the target uses, or the last one did
  std::uint64_t next_length_ = 0;  // data blocks, after the create or resume at hand
  bool begins_era_ = false;        // that create or resume does

  // By the name of the metadata.
  std::map<std::string, era_model> models_;

  // A command failed, or the power did in its midst: what it had done might be on the device, all
  // or a part of it.
  std::optional<era_model> if_it_was_done_;
};

// Runs a script line by line; `name` is for messages. What is wrong with a line, or happens in it,
// is thrown as base::data_error with name and number of the line.
void run_script(std::istream& script, const std::string& name, simulator& on);

}  // namespace era
