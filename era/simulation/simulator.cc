#include "era/simulation/simulator.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/error.h"
#include "base/number.h"

namespace era {
namespace {

// A write is sent in parts of this size, and a read too.
constexpr std::uint64_t sectors_in_a_part = 16384;

constexpr std::size_t longest_line = 4096;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// What the n-th write of a simulation puts on the origin: its number, over and over.
std::vector<std::byte> contents(std::uint64_t n, std::uint64_t nr_sectors) {
  std::vector<std::byte> bytes(nr_sectors * sector_bytes);
  for (std::size_t at = 0; at < bytes.size(); at += sizeof n) {
    base::put_le64(bytes.data() + at, n);
  }
  return bytes;
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
  try {
    execute(command);
  } catch (const base::error& e) {
    // A table is also refused if the power fails while its metadata is formatted.
    const bool taken = dynamic_cast<const refused*>(&e) == nullptr || devices_.has_power_failed();
    if (taken) {
      failed(command);
    }
    if (!power_on_) {
      return;
    }
    if (command.expected == outcome::success) {
      throw;
    }
    out_ << first_line(e.what()) << "\n";
    return;
  }
  if (devices_.has_power_failed()) {
    return failed(command);
  }
  if (command.expected == outcome::failure) {
    throw base::data_error("'" + text_of(command) + "': it succeeded");
  }
  note(command);
}

// The command might have been carried out on the device, in full or in part.
void simulator::failed(const script_command& command) {
  if (verify_ && !metadata_.empty()) {
    if (!if_it_was_done_) {
      if_it_was_done_ = models_[metadata_];
    }
    note(command, *if_it_was_done_);
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
  if (!devices_.has_power_failed()) {
    out_ << line << "\n";
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

void simulator::create(const std::string& table) {
  if (target_ != nullptr) {
    throw refused("Device or resource busy", "a device has been created already; remove it first");
  }
  begins_era_ = false;
  load(table, target_);
  try {
    bring_up();
  } catch (...) {
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

void simulator::note(const script_command& command) {
  if (!verify_ || metadata_.empty()) {
    return;
  }
  note(command, models_[metadata_]);
  if (if_it_was_done_) {
    note(command, *if_it_was_done_);
  }
}

void simulator::note(const script_command& command, era_model& in) const {
  const auto blocks = [&]() -> block_range {
    const std::uint64_t size = target_->block_size();
    const std::uint64_t first = command.numbers[0] / size;
    const std::uint64_t end = base::ceil_div(command.numbers[0] + command.numbers[1], size);
    if (command.numbers[1] == 0) {
      return {first, first};
    }
    return {first, command.what == verb::discard ? first + 1 : end};
  };
  switch (command.what) {
    case verb::create:
    case verb::resume:
      if (begins_era_) {
        in.resize(next_length_);
        in.begin_era();
      }
      return;
    case verb::write:
    case verb::write_zeroes:
    case verb::discard:
      return in.wrote(blocks());
    case verb::message: {
      const target_message sent = parse_message(command.text);
      if (sent == target_message::drop_metadata_snap) {
        return in.drop_snapshot();
      }
      in.begin_era();
      if (sent == target_message::take_metadata_snap) {
        in.take_snapshot();
      }
      return;
    }
    default:
      return;
  }
}

simulator::expectation simulator::if_cut_during(const script_command& command) const {
  const auto model = models_.find(metadata_);
  if (model == models_.end()) {
    return {};
  }
  expectation expected{model->second, model->second};
  note(command, expected.after);
  return expected;
}

void simulator::verify_metadata() {
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

void run_script(std::istream& script, const std::string& name, simulator& on) {
  std::string line(longest_line + 1, '\0');
  std::uint64_t number = 0;
  const auto with_place = [&](const std::string& what) {
    return base::data_error(name + ":" + std::to_string(number) + ": " + what);
  };
  while (script.getline(line.data(), static_cast<std::streamsize>(line.size()))) {
    ++number;
    try {
      if (const auto command = parse_command(line.c_str())) {
        on.run(*command);
      }
    } catch (const base::error& e) {
      throw with_place(e.what());
    }
  }
  if (script.bad() || !script.eof()) {
    ++number;
    throw with_place(script.bad() ? "cannot be read"
                                  : "longer than " + std::to_string(longest_line) + " bytes");
  }
  try {
    on.finish();
  } catch (const base::error& e) {
    throw with_place(e.what());
  }
}

}  // namespace era
