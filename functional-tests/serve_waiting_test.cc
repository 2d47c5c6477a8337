// What must not wait for long in a served disk, however much is written.
#include <atomic>
#include <random>
#include <thread>

#include "catch.h"
#include "harness.h"
#include "nbd_client.h"
#include "nbdkit_server.h"

namespace {

using serving::nbd_client;
using serving::nbdkit_server;

// Writes to blocks that have no mark, as good as always, until it is to stop.
void write_new_blocks(const std::string& socket, std::uint64_t nr_blocks, unsigned seed,
                      const std::atomic<bool>& stopping, std::atomic<std::uint64_t>& written) {
  constexpr std::size_t most_under_way = 8;
  nbd_client client(socket);
  std::mt19937_64 random(seed);
  const std::string bytes(512, 'x');
  struct progress {
    std::size_t under_way = 0;
    std::atomic<std::uint64_t>& written;
  } progress = {0, written};
  const auto note = [](void* to, int* /*error*/) {
    auto& known = *static_cast<struct progress*>(to);
    --known.under_way;
    ++known.written;
    return 1;
  };
  while (!stopping || progress.under_way > 0) {
    while (!stopping && progress.under_way < most_under_way) {
      ++progress.under_way;
      if (::nbd_aio_pwrite(client.handle(), bytes.data(), bytes.size(), random() % nr_blocks * 4096,
                           {note, &progress, nullptr}, 0) < 0) {
        return;
      }
    }
    if (::nbd_poll(client.handle(), 100) < 0) {
      return;
    }
  }
}

}  // namespace

TEST_CASE("a served disk answers what is asked while new blocks are written all the time",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  constexpr std::uint64_t nr_blocks = 1 << 20;
  const harness::temporary_folder folder;
  harness::make_zeroed(folder / "origin", nr_blocks * 4096);
  nbdkit_server server(folder.path(), {"metadata=metadata", "origin=origin", "control=control",
                                       "block-size=4k", "metadata-size=64M"});
  std::atomic<bool> stopping = false;
  std::atomic<std::uint64_t> written = 0;
  std::vector<std::thread> writers;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    writers.emplace_back(
        [&, seed] { write_new_blocks(server.socket(), nr_blocks, seed, stopping, written); });
  }
  while (written < 200) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // 32 writes are under way, so some hundreds are many commits.
  for (const std::string line : {"status", "table", "message checkpoint", "status"}) {
    const std::uint64_t before = written;
    const std::string answer = server.ask(line);
    const std::uint64_t meanwhile = written - before;
    CAPTURE(line, answer);
    CHECK(answer.find("error") == std::string::npos);
    CHECK(meanwhile < 500);
  }
  stopping = true;
  for (std::thread& writer : writers) {
    writer.join();
  }
  CHECK(server.stop() == 0);
}
