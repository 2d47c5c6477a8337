#include "simulation.h"

#include <stdexcept>

#include "guest.h"

namespace kernel {
namespace {

const char* io_command(action what) {
  switch (what) {
    case action::write:
    case action::write_sync:
    case action::write_buffered:
      return "write";
    case action::write_zeroes:
      return "write_zeroes";
    case action::discard:
      return "discard";
    case action::read:
      return "read";
    default:
      throw std::logic_error("no I/O");
  }
}

std::string line_for(const operation& operation, const std::string& table_end) {
  switch (operation.what) {
    case action::flush:
      return "flush";
    case action::message:
      return "message " + operation.message;
    case action::refused:
      return "! message " + operation.message;
    case action::suspend:
      return "suspend";
    case action::resume:
      return "resume";
    case action::reload:
      return "suspend\nreload 0 " + std::to_string(operation.sectors) + table_end + "\nresume";
    case action::settle:
      return "settle";
    case action::status:
      return "status";
    default:
      return std::string(io_command(operation.what)) + ' ' + std::to_string(operation.sector) +
             ' ' + std::to_string(operation.sectors);
  }
}

}  // namespace

std::string simulator_script(const guest_schedule& schedule, std::size_t session,
                             const std::string& metadata, const std::string& origin) {
  const auto& wanted = schedule.sessions.at(session);
  const auto table_end =
      " era " + metadata + ' ' + origin + ' ' + std::to_string(schedule.block_size);
  auto script = "create 0 " + std::to_string(wanted.length) + table_end + '\n';
  for (const auto& operation : wanted.operations) {
    script += line_for(operation, table_end) + '\n';
  }
  return script + (wanted.end == ending::removed ? "remove\n" : "power_cut\n");
}

simulation::simulation(const guest_schedule& schedule) : schedule_(schedule) {
  harness::make_zeroed(metadata(), schedule.metadata_bytes);
  harness::make_zeroed(folder_ / "origin", schedule.origin_sectors() * 512);
}

std::string simulation::run_session() {
  harness::run_options options;
  options.input = simulator_script(schedule_, next_++, metadata(), folder_ / "origin");
  const auto ended = harness::run({harness::tool("era_simulate"), "--verify"}, options);
  for (const auto& line : lines_of(ended.out)) {
    if (line.rfind("0 ", 0) == 0) {
      statuses_.push_back(line);
    }
  }
  return ended.status == 0 ? "" : ended.err + ended.out;
}

}  // namespace kernel
