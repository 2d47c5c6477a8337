#include "device-mapper/era_message.h"

#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/output.h"
#include "base/text.h"
#include "bin/command_line.h"
#include "bin/control_client.h"

namespace {

constexpr cli::command command{
    "era_message",
    "{--live NAME | --control SOCKET} "
    "{checkpoint|take_metadata_snap|drop_metadata_snap|status|table}",
    "Sends a message to an era device, or prints its status or table.",
    {{0, "live", "NAME", "the live era device NAME"},
     {0, "control", "SOCKET", "the era device of the server with the control socket SOCKET"}},
    2};  // the second is refused here

enum class question { status, table };

constexpr char words_of_a_request[] =
    "checkpoint, take_metadata_snap, drop_metadata_snap, status and table";

// One of the two.
struct request {
  std::optional<dm::era_message> message;
  question asked = question::status;
};

const char* text_of(question asked) {
  return asked == question::status ? "status" : "table";
}

request request_of(const cli::arguments& given) {
  if (!given.has_input()) {
    throw base::usage_error(std::string("What is to be sent? There are ") + words_of_a_request +
                            ".");
  }
  if (given.files().size() > 1) {
    throw base::usage_error("unexpected argument '" + given.files()[1] + "'; messages take none.");
  }
  const std::string& word = given.input();
  const std::optional<dm::era_message> message = dm::era_message_named(word);
  if (message) {
    return {message};
  }
  for (const question asked : {question::status, question::table}) {
    if (base::in_lower_case(word) == text_of(asked)) {
      return {std::nullopt, asked};
    }
  }
  throw base::usage_error("unsupported message '" + word + "'; there are " + words_of_a_request +
                          ".");
}

void print(const std::string& line) {
  base::output out("-");
  out << line << "\n";
  out.commit();
}

// What the target says, even if that is that it has failed.
void print(const dm::target_line& line) {
  print(dm::text_of(line));
}

void ask_live(const std::string& name, const request& wanted) {
  const std::unique_ptr<dm::devices> devices = dm::system_devices();
  if (wanted.message) {
    dm::send(*devices, name, *wanted.message);
    return;
  }
  const dm::live_target device = dm::require_target(*devices, name, dm::era_target);
  if (wanted.asked == question::table) {
    print(device.table);
  } else {
    print(dm::status_line_of(*devices, device));
  }
}

void ask_server(const std::string& socket, const request& wanted) {
  cli::control_client client(socket);
  if (wanted.message) {
    client.send(dm::text_of(*wanted.message));
  } else {
    print(client.ask(text_of(wanted.asked)));
  }
}

cli::exit_status send(const cli::arguments& given) {
  given.exclude("live", {"control"});
  if (!given.has("live") && !given.has("control")) {
    throw base::usage_error("To which device? Please give --live NAME or --control SOCKET.");
  }
  const request wanted = request_of(given);
  if (given.has("live")) {
    ask_live(given.value("live"), wanted);
  } else {
    ask_server(given.value("control"), wanted);
  }
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, send);
}
