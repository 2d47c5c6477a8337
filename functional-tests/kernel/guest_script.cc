#include "guest_script.h"

#include <stdexcept>

namespace kernel {
namespace {

std::string table_arguments(const guest_schedule& schedule, const device_names& names,
                            std::uint64_t length) {
  return ' ' + names.metadata + ' ' + names.origin + ' ' + std::to_string(length) + ' ' +
         std::to_string(schedule.block_size);
}

const char* io_function(action what) {
  switch (what) {
    case action::write:
      return "write_direct";
    case action::write_sync:
      return "write_sync";
    case action::write_buffered:
      return "write_buffered";
    case action::write_zeroes:
      return "write_zeroes";
    case action::discard:
      return "discard";
    case action::read:
      return "read_direct";
    default:
      throw std::logic_error("no I/O");
  }
}

std::string line_for(const operation& operation, const guest_schedule& schedule,
                     const device_names& names) {
  const auto& name = schedule.name;
  switch (operation.what) {
    case action::flush:
      return "flush " + name;
    case action::message:
      return "dm_message " + name + ' ' + operation.message;
    case action::refused:
      return "refused dm_message " + name + ' ' + operation.message;
    case action::suspend:
      return "era_suspend " + name;
    case action::resume:
      return "era_resume " + name;
    case action::reload:
      return "era_reload " + name + table_arguments(schedule, names, operation.sectors);
    case action::settle:
      return "era_settle " + name;
    case action::status:
      return "era_status " + name;
    default:
      return std::string(io_function(operation.what)) + ' ' + name + ' ' +
             std::to_string(operation.sector) + ' ' + std::to_string(operation.sectors);
  }
}

}  // namespace

std::string guest_script(const guest_schedule& schedule, std::size_t session,
                         const device_names& names) {
  const auto& wanted = schedule.sessions.at(session);
  auto script =
      "era_create " + schedule.name + table_arguments(schedule, names, wanted.length) + '\n';
  for (const auto& operation : wanted.operations) {
    script += line_for(operation, schedule, names) + '\n';
  }
  if (wanted.end == ending::removed) {
    script += "era_remove " + schedule.name + '\n';
  }
  return script;
}

}  // namespace kernel
