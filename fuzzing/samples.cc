#include "fuzzing/samples.h"

#include <algorithm>
#include <sstream>

#include "era/build/metadata_builder.h"
#include "fuzzing/memory_file.h"
#include "fuzzing/simulated_memory.h"

namespace fuzz {
namespace {

// Large enough for two bitmaps.
constexpr std::uint64_t most_sectors = std::uint64_t{40000} * 8;

const char* const write_here_and_there =
    "write 0 8\nwrite 640 80\nwrite 4000 8\nwrite 7992 8\nmessage checkpoint\n"
    "write 640 8\nwrite 1600 400\nmessage checkpoint\nwrite 8 16\nwrite 7000 8\n";

std::string many_eras() {
  std::ostringstream script;
  script << "device M 8000\ndevice O 1600\ncreate 0 1600 era M O 8\n";
  for (int era = 1; era <= 220; ++era) {
    script << "write " << era % 200 * 8 << " 8\nmessage checkpoint\n";
  }
  return script.str();
}

sparse_device run(const std::string& script) {
  simulated_memory devices(most_sectors);
  memory_file printed;
  base::output out(printed.path());
  era::simulator simulator(devices, out, true);
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    if (const auto command = era::parse_command(line)) {
      simulator.run(*command);
    }
  }
  return devices.stable("M");
}

// Every 1000th block written in the era array, the blocks from 100 on in the writesets, which are
// shorter than a large device.
sparse_device restored(pd::block_nr metadata_blocks, std::uint32_t nr_blocks,
                       era::metadata_builder::current_writeset current) {
  sparse_device device(metadata_blocks);
  era::metadata_builder builder(device, current);
  builder.begin({128, nr_blocks, 9});
  for (std::uint32_t era = 7; era <= 9; ++era) {
    builder.begin_writeset(era, std::min(nr_blocks, 5000U), {});
    const era::contents_run run{100, 20 * era, 1, {}};
    builder.bits(std::span(&run, 1));
    builder.end_writeset();
  }
  for (std::uint32_t block = 0; block < nr_blocks; block += 1000) {
    const era::contents_run run{block, 1, 1 + block / 1000 % 6, {}};
    builder.eras(std::span(&run, 1));
  }
  builder.end();
  return device;
}

}  // namespace

std::vector<sample_script> sample_scripts() {
  const std::string begin = "device M 1600\ndevice O 16000\ncreate 0 8000 era M O 8\n";
  const std::string some = begin + write_here_and_there;
  return {
      {"open", some},
      {"removed", some + "remove\n"},
      {"digested", some + "settle\nremove\n"},
      {"half_digested",
       some + "write 0 8000\nmessage checkpoint\nstep 5\nflush\nmessage checkpoint\n"},
      {"snapshot", some + "message take_metadata_snap\n" + write_here_and_there + "settle\n"},
      {"snapshot_undigested", some + "message take_metadata_snap\nwrite 0 800\nremove\n"},
      {"grown", some + "reload 0 16000 era M O 8\nresume\n" + write_here_and_there},
      {"shrunk",
       "device M 1600\ndevice O 16400\ncreate 0 16328 era M O 8\nwrite 0 16328\nsettle\n"
       "reload 0 16288 era M O 8\nresume\nreload 0 8144 era M O 8\nresume\n"
       "write 800 8\nremove\n"},
      {"fresh", "device M 1600\ndevice O 16000\nload 0 8000 era M O 8\n"},
      {"two_bitmaps", "device M 264000\ndevice O 16000\ncreate 0 8000 era M O 8\n" +
                          std::string(write_here_and_there) + "message take_metadata_snap\n" +
                          write_here_and_there},
      {"power_cut", some + "power_cut 7\ncreate 0 8000 era M O 8\nwrite 80 8\npower_cut 8\n"},
      {"many_eras", many_eras()},
  };
}

std::vector<sample> make_samples() {
  std::vector<sample> made;
  for (const sample_script& script : sample_scripts()) {
    made.push_back({script.name, run(script.text)});
  }
  using current_writeset = era::metadata_builder::current_writeset;
  made.push_back({"restored", restored(60, 3000, current_writeset::archived)});
  made.push_back({"restored_large", restored(800, 260000, current_writeset::open)});
  made.push_back({"restored_two_bitmaps", restored(33000, 5000, current_writeset::open)});
  return made;
}

}  // namespace fuzz
