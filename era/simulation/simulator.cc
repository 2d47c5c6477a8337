#include "era/simulation/simulator.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/number.h"

namespace era {
namespace {

// A write is sent in parts of this size, and a read too.
constexpr std::uint64_t sectors_in_a_part = 16384;

constexpr std::size_t longest_line = 4096;

// What the n-th write of a simulation puts on the origin: its number, over and over.
std::vector<std::byte> contents(std::uint64_t n, std::uint64_t nr_sectors) {
  std::vector<std::byte> bytes(nr_sectors * sector_bytes);
  for (std::size_t at = 0; at < bytes.size(); at += sizeof n) {
    base::put_le64(bytes.data() + at, n);
  }
  return bytes;
}

// Cuts what is read into lines.
class line_reader {
 public:
  explicit line_reader(const script_reader& script) : script_(script), bytes_(2 * room) {}

  // False at the end. Throws base::io_error.
  bool read() {
    first_ = std::min(end_of_line_ + 1, end_);
    for (std::size_t seen = first_;;) {
      const char* const newline =
          static_cast<const char*>(std::memchr(bytes_.data() + seen, '\n', end_ - seen));
      if (newline != nullptr) {
        end_of_line_ = static_cast<std::size_t>(newline - bytes_.data());
        return true;
      }
      seen = end_;
      if (end_ - first_ > longest_line || !read_more(seen)) {
        end_of_line_ = end_;
        return first_ < end_;
      }
    }
  }

  // Throws base::data_error for one that is too long, after which there is no other.
  std::string_view line() const {
    if (end_of_line_ - first_ > longest_line) {
      throw base::data_error("longer than " + std::to_string(longest_line) + " bytes");
    }
    return {bytes_.data() + first_, end_of_line_ - first_};
  }

 private:
  static constexpr std::size_t room = 65536;

  // `seen` moves with the bytes.
  bool read_more(std::size_t& seen) {
    if (first_ > 0) {
      std::memmove(bytes_.data(), bytes_.data() + first_, end_ - first_);
      end_ -= first_;
      seen -= first_;
      first_ = 0;
    }
    const std::size_t got = script_(bytes_.data() + end_, room);
    end_ += got;
    return got > 0;
  }

  const script_reader& script_;
  std::vector<char> bytes_;
  std::size_t first_ = 0;        // of the present line
  std::size_t end_of_line_ = 0;  // its newline
  std::size_t end_ = 0;          // of what was read
};

block_range blocks_of(const script_command& command, std::uint64_t size) {
  const std::uint64_t first = command.numbers[0] / size;
  const std::uint64_t end = base::ceil_div(command.numbers[0] + command.numbers[1], size);
  if (command.numbers[1] == 0) {
    return {first, first};
  }
  return {first, command.what == verb::discard ? first + 1 : end};
}

}  // namespace

target& simulator::created() const {
  if (target_ == nullptr) {
    throw refused("No such device or address", "no device has been created");
  }
  return *target_;
}

void simulator::run(const script_command& command) {
  if (!power_on_ && command.what != verb::power_cut) {
    return;
  }
  const bool could_commit = can_commit();
  try {
    execute(command);
  } catch (const verification_failed&) {
    throw;
  } catch (const base::error& e) {
    // A table is also refused if the power fails while its metadata is formatted.
    const bool cut = devices_.has_power_failed();
    if (cut || dynamic_cast<const refused*>(&e) == nullptr) {
      // Where there is no room, the superblock has not been written.
      failed(command, cut || (could_commit && dynamic_cast<const base::io_error*>(&e) != nullptr &&
                              dynamic_cast<const pd::out_of_space*>(&e) == nullptr));
    }
    if (!power_on_) {
      return;
    }
    if (command.expected == outcome::success) {
      throw;
    }
    out_ << base::first_line(e.what()) << "\n";
    return;
  }
  if (devices_.has_power_failed()) {
    return failed(command, true);
  }
  if (command.expected == outcome::failure) {
    throw base::data_error("'" + text_of(command) + "': it succeeded");
  }
  note(command);
}

// After a failure a target commits nothing more, so that nothing can have come through.
bool simulator::can_commit() const {
  return target_ == nullptr || loaded_ != nullptr || !target_->has_failed();
}

void simulator::failed(const script_command& command, bool may_be_done) {
  if (target_ != nullptr) {
    last_commit_ = target_->last_commit();
  }
  if (verify_ && !metadata_.empty() && last_commit_) {
    note_commits(command, *last_commit_, may_be_done);
  }
  if (devices_.has_power_failed()) {
    power_on_ = false;
    lose_devices();
  }
}

void simulator::execute(const script_command& command) {
  const auto number = [&](std::size_t i, std::uint64_t otherwise) {
    return i < command.numbers.size() ? command.numbers[i] : otherwise;
  };
  switch (command.what) {
    case verb::device:
      return devices_.make(command.text, number(0, 0));
    case verb::create:
      return create(command.text);
    case verb::load:
      return make(command.text);
    case verb::resume:
      return resume();
    case verb::suspend:
      return created().suspend();
    case verb::reload:
      created();
      return load(command.text, loaded_);
    case verb::remove:
      return remove();
    case verb::write:
    case verb::write_zeroes:
    case verb::discard:
    case verb::read:
    case verb::flush:
      return request_sectors(command);
    case verb::message:
      return created().message(command.text);
    case verb::status:
      return print_status();
    case verb::table:
      out_ << created().status_table() << "\n";
      return;
    case verb::step:
      return step(number(0, 1));
    case verb::settle:
      step(UINT64_MAX);
      return target_->commit();
    case verb::power_cut:
      return cut_power(number(0, power_seed_));
    case verb::power_cut_after:
      power_seed_ = number(1, 0);
      return devices_.fail_power_after(number(0, 0));
  }
}

void simulator::print_status() {
  const std::string line = created().status_info();
  if (devices_.has_power_failed()) {
    return;
  }
  out_ << line << "\n";
  if (target_->has_failed() && !told_why_ && remark_) {
    told_why_ = true;
    remark_(base::first_line(target_->failure()));
  }
}

void simulator::load(const std::string& table, std::unique_ptr<target>& into) {
  const table_line parsed = parse_table_line(table);
  auto made = std::make_unique<target>(parsed, devices_);
  if (verify_ && !models_.contains(parsed.metadata)) {
    era_model model;
    if (const auto found = read_sound_state(devices_.metadata(parsed.metadata))) {
      model.learn(*found);
    }
    models_[parsed.metadata] = model;
  }
  into = std::move(made);
}

void simulator::make(const std::string& table) {
  if (target_ != nullptr) {
    throw refused("Device or resource busy", "a device has been created already; remove it first");
  }
  begins_era_ = false;
  last_commit_.reset();
  load(table, target_);
  metadata_ = target_->table().metadata;
  told_why_ = false;
}

void simulator::create(const std::string& table) {
  make(table);
  try {
    bring_up();
  } catch (...) {
    last_commit_ = target_->last_commit();
    target_.reset();
    throw;
  }
}

void simulator::resume() {
  begins_era_ = false;
  if (created().is_running() && loaded_ == nullptr) {
    return;
  }
  if (loaded_ != nullptr) {
    target_->suspend();
    if (verify_ && loaded_->table().metadata != metadata_) {
      verify_metadata();
    }
    target_ = std::move(loaded_);
    told_why_ = false;
  }
  bring_up();
}

void simulator::bring_up() {
  metadata_ = target_->table().metadata;
  next_length_ = target_->nr_blocks();
  begins_era_ = true;
  target_->resume();
}

void simulator::remove() {
  created();
  const std::unique_ptr<target> removed = std::move(target_);
  loaded_.reset();
  removed->suspend();
  if (verify_) {
    verify_metadata();
  }
}

void simulator::request_sectors(const script_command& command) {
  if (command.what == verb::flush) {
    return created().map({request::kind::flush});
  }
  const std::uint64_t sector = command.numbers[0];
  const std::uint64_t nr_sectors = command.numbers[1];
  if (command.what == verb::write) {
    return write(sector, nr_sectors);
  }
  if (command.what == verb::read) {
    return read(sector, nr_sectors);
  }
  const auto kind =
      command.what == verb::discard ? request::kind::discard : request::kind::write_zeroes;
  created().map({kind, sector, nr_sectors});
  target_->work();
}

// All parts wait together, so that the marks of one write are one commit. The request at its end is
// for the refusal of a write that goes too far, before any part of it waits.
void simulator::write(std::uint64_t sector, std::uint64_t nr_sectors) {
  created().map({request::kind::read, sector + nr_sectors, 0});
  const std::vector<std::byte> part =
      contents(++writes_done_, std::min(nr_sectors, sectors_in_a_part));
  try {
    for (std::uint64_t done = 0; done < nr_sectors; done += sectors_in_a_part) {
      const std::uint64_t size = std::min(sectors_in_a_part, nr_sectors - done);
      created().map({request::kind::write,
                     sector + done,
                     size,
                     {},
                     std::span(part).first(size * sector_bytes)});
    }
  } catch (...) {
    created().drop_waiting();
    throw;
  }
  created().work();
}

void simulator::read(std::uint64_t sector, std::uint64_t nr_sectors) {
  created().map({request::kind::read, sector + nr_sectors, 0});
  std::vector<std::byte> part(std::min(nr_sectors, sectors_in_a_part) * sector_bytes);
  for (std::uint64_t done = 0; done < nr_sectors; done += sectors_in_a_part) {
    const std::uint64_t size = std::min(sectors_in_a_part, nr_sectors - done);
    created().map(
        {request::kind::read, sector + done, size, std::span(part).first(size * sector_bytes)});
  }
}

void simulator::step(std::uint64_t count) {
  for (std::uint64_t done = 0; done < count && created().step(); ++done) {
  }
}

void simulator::lose_devices() {
  target_.reset();
  loaded_.reset();
}

void simulator::cut_power(std::uint64_t seed) {
  lose_devices();
  devices_.cut_power(power_on_ ? seed : power_seed_);
  power_on_ = true;
  power_seed_ = 0;
  if (verify_) {
    verify_metadata();
  }
}

void simulator::finish() {
  if (!power_on_) {
    cut_power(power_seed_);
  } else if (verify_) {
    verify_metadata();
  }
}

void simulator::change::apply_to(era_model& model) const {
  switch (what) {
    case kind::resize:
      return model.resize(nr_blocks);
    case kind::begin_era:
      return model.begin_era();
    case kind::write:
      return model.wrote(blocks);
    case kind::take_snapshot:
      return model.take_snapshot();
    case kind::drop_snapshot:
      return model.drop_snapshot();
  }
}

// Of a write a superblock does not tell.
bool simulator::change::is_in(const superblock& last_commit, const era_model& before) const {
  switch (what) {
    case kind::resize:
      return last_commit.nr_blocks == nr_blocks;
    case kind::begin_era:
      return last_commit.current_era > before.state().current_era;
    case kind::write:
      return false;
    case kind::take_snapshot:
      return last_commit.metadata_snap != pd::no_block;
    case kind::drop_snapshot:
      return last_commit.metadata_snap == pd::no_block;
  }
  return false;
}

std::vector<simulator::change> simulator::changes_of(const script_command& command) const {
  using kind = change::kind;
  switch (command.what) {
    case verb::create:
    case verb::resume:
      if (!begins_era_) {
        return {};
      }
      return {{kind::resize, next_length_}, {kind::begin_era}};
    case verb::write:
    case verb::write_zeroes:
    case verb::discard:
      return {{kind::write, 0, blocks_of(command, target_->block_size())}};
    case verb::message:
      switch (parse_message(command.text)) {
        case target_message::checkpoint:
          return {{kind::begin_era}};
        case target_message::take_metadata_snap:
          return {{kind::begin_era}, {kind::take_snapshot}};
        case target_message::drop_metadata_snap:
          return {{kind::drop_snapshot}};
      }
      return {};
    default:
      return {};
  }
}

void simulator::note(const script_command& command) {
  if (!verify_ || metadata_.empty()) {
    return;
  }
  for (const change& done : changes_of(command)) {
    done.apply_to(models_[metadata_]);
    if (if_it_was_done_) {
      done.apply_to(*if_it_was_done_);
    }
  }
}

// Of a command that failed, the first commits came through, and the one that failed may have.
void simulator::note_commits(const script_command& command, const superblock& last,
                             bool may_be_done) {
  era_model& model = models_[metadata_];
  for (const change& one : changes_of(command)) {
    if (!one.is_in(last, model)) {
      if (may_be_done) {
        if_it_was_done_ = if_it_was_done_ ? if_it_was_done_ : model;
        one.apply_to(*if_it_was_done_);
      }
      return;
    }
    one.apply_to(model);
    if (if_it_was_done_) {
      one.apply_to(*if_it_was_done_);
    }
  }
}

simulator::expectation simulator::if_cut_during(const script_command& command) const {
  const auto model = models_.find(metadata_);
  if (model == models_.end()) {
    return {};
  }
  expectation expected{model->second, model->second};
  for (const change& one : changes_of(command)) {
    one.apply_to(expected.after);
  }
  return expected;
}

void simulator::verify_metadata() {
  try {
    compare_metadata();
  } catch (const base::error& e) {
    std::throw_with_nested(verification_failed(e.what()));
  }
}

void simulator::compare_metadata() {
  const auto model = models_.find(metadata_);
  if (model == models_.end()) {
    return;
  }
  const auto found = read_sound_state(devices_.metadata(metadata_));
  std::vector<std::string> differences;
  if (found) {
    differences = model->second.differences(*found, if_it_was_done_ ? &*if_it_was_done_ : nullptr);
  } else if (model->second.state().current_era != 0) {
    differences.emplace_back("the metadata is not formatted any more");
  }
  for (const std::string& difference : differences) {
    out_ << metadata_ << ": " << difference << "\n";
  }
  if (!differences.empty()) {
    throw base::data_error(metadata_ + ": " + base::counted(differences.size(), "difference") +
                           " between what was written and the metadata, listed on standard output");
  }
  if (if_it_was_done_ && found) {
    model->second.adopt(*found);
  }
  if_it_was_done_.reset();
}

void run_script(const script_reader& script, const std::string& name, simulator& on) {
  line_reader lines(script);
  std::uint64_t number = 0;
  const auto with_place = [&](const base::error& e) {
    std::throw_with_nested(base::data_error(name + ":" + std::to_string(number) + ": " + e.what()));
  };
  while (lines.read()) {
    ++number;
    try {
      if (const auto command = parse_command(lines.line())) {
        on.run(*command);
      }
    } catch (const base::error& e) {
      with_place(e);
    }
  }
  try {
    on.finish();
  } catch (const base::error& e) {
    with_place(e);
  }
}

}  // namespace era
