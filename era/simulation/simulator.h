// Runs the commands of a simulation script: an era target under a device mapper that knows of
// nothing else, and a power supply that can fail. Results go to an output, one line each, as
// dmsetup would print them.
//
// With verification a model is kept beside the target (era_model.h). After each power cut and
// removal, and at the end, the metadata is read back by the code of the tools and held against it.
// Not thread safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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

// Takes what is no result, but should be known: one line, without a newline.
using remark_sink = std::function<void(const std::string& remark)>;

// Whatever a script expects of a command: metadata that is not as it should be is not among it.
class verification_failed : public base::data_error {
 public:
  using data_error::data_error;
};

class simulator {
 public:
  // A status that says "Error" is followed by a remark why, once for each target.
  simulator(simulated_devices& devices, base::output& out, bool verify, remark_sink remark = {})
      : devices_(devices), out_(out), verify_(verify), remark_(std::move(remark)) {}

  // Throws base::error when the command fails, or does not fail although it must, and
  // verification_failed when verification finds a difference or damage.
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
  // What one of the commits of a command does.
  struct change {
    enum class kind { resize, begin_era, write, take_snapshot, drop_snapshot };
    kind what;
    std::uint64_t nr_blocks = 0;  // of a resize
    block_range blocks = {0, 0};  // of a write

    void apply_to(era_model& model) const;
    bool is_in(const superblock& last_commit, const era_model& before) const;
  };

  void execute(const script_command& command);
  void failed(const script_command& command, bool may_be_done);
  bool can_commit() const;
  void print_status();
  void load(const std::string& table, std::unique_ptr<target>& into);
  void make(const std::string& table);
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
  std::vector<change> changes_of(const script_command& command) const;
  void note(const script_command& command);
  void note_commits(const script_command& command, const superblock& last, bool may_be_done);
  void verify_metadata();
  void compare_metadata();

  simulated_devices& devices_;
  base::output& out_;
  bool verify_;
  remark_sink remark_;
  std::unique_ptr<target> target_;  // none: no device has been created
  std::unique_ptr<target> loaded_;  // by reload, takes the other's place at the resume
  bool power_on_ = true;
  std::uint64_t power_seed_ = 0;  // of the cut to come
  std::uint64_t writes_done_ = 0;

  std::string metadata_;           // that the target uses, or the last one did
  std::uint64_t next_length_ = 0;  // data blocks, after the create or resume at hand
  bool begins_era_ = false;        // that create or resume does
  bool told_why_ = false;          // the target's status is "Error"

  // Of a target that could not be brought up.
  std::optional<superblock> last_commit_;

  // By the name of the metadata.
  std::map<std::string, era_model> models_;

  // A commit failed, or the power did in its midst: this is how things are if it came through. A
  // command's earlier commits are in the model, whatever became of the command.
  std::optional<era_model> if_it_was_done_;
};

// Fills memory with what comes next and returns how much that is; 0 at the end. Throws
// base::io_error.
using script_reader = std::function<std::size_t(char* data, std::size_t size)>;

// Runs a script line by line; `name` is for messages. What is wrong with a line, or happens in it,
// is thrown as base::data_error with name and number of the line, what it came from nested in it.
// Memory: one line, of bounded length.
void run_script(const script_reader& script, const std::string& name, simulator& on);

}  // namespace era
