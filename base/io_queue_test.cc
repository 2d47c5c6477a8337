#include "base/io_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::io_queue;
using base::io_request;

constexpr std::size_t part_bytes = 4096;

class io_queues : public testing::Test {
 protected:
  // A request of one part, at the place of that number.
  struct numbered {
    std::string memory = std::string(part_bytes, '-');
    iovec part{};
    io_request io;
  };

  io_queues() {
    for (char c = 'a'; c <= 'z'; ++c) {
      bytes += std::string(part_bytes, c);
    }
    base::test::write_file(folder / "file", bytes);
    file = base::file_handle(::open((folder / "file").c_str(), O_RDWR | O_CLOEXEC));
  }

  numbered& request(std::size_t i, bool writes) {
    numbered& made = *requests.emplace_back(std::make_unique<numbered>());
    made.part = {made.memory.data(), part_bytes};
    made.io.writes = writes;
    made.io.fd = file.fd();
    made.io.offset = i * part_bytes;
    made.io.parts = &made.part;
    made.io.nr_parts = 1;
    made.io.owner = &made;
    return made;
  }

  base::test::temporary_folder folder;
  std::string bytes;
  base::file_handle file;
  std::vector<std::unique_ptr<numbered>> requests;
};

TEST_F(io_queues, do_all_that_is_added_however_little_room_there_is) {
  for (const int depth : {1, 3, 64}) {
    io_queue queue(depth, "queue");
    requests.clear();
    for (std::size_t i = 0; i < 26; ++i) {
      queue.add(request(i, false).io);
    }
    std::vector<io_request*> done;
    while (!queue.is_idle()) {
      queue.wait(done);
    }
    ASSERT_EQ(done.size(), 26U);
    for (const io_request* const one : done) {
      EXPECT_EQ(one->result, static_cast<long>(part_bytes));
      EXPECT_EQ(static_cast<numbered*>(one->owner)->memory, bytes.substr(one->offset, part_bytes));
    }
  }
}

TEST_F(io_queues, write) {
  io_queue queue(4, "queue");
  queue.add(request(3, true).io);
  std::vector<io_request*> done;
  while (!queue.is_idle()) {
    queue.wait(done);
  }
  EXPECT_TRUE(base::test::read_file(folder / "file") ==
              bytes.replace(3 * part_bytes, part_bytes, part_bytes, '-'));
}

TEST_F(io_queues, show_by_a_descriptor_that_something_is_done) {
  io_queue queue(4, "queue", io_queue::polling::by_event_fd);
  std::vector<io_request*> done;
  queue.add(request(25, false).io);
  while (done.empty()) {
    queue.collect(done);
    pollfd event{queue.event_fd(), POLLIN, 0};
    if (done.empty()) {
      ASSERT_EQ(::poll(&event, 1, 10000), 1);
    }
  }
  EXPECT_EQ(done.size(), 1U);
  EXPECT_TRUE(queue.is_idle());
}

TEST_F(io_queues, give_each_request_its_own_error) {
  io_queue queue(8, "queue");
  queue.add(request(0, false).io);
  numbered& bad = request(1, false);
  bad.io.fd = -1;
  queue.add(bad.io);
  queue.add(request(2, false).io);
  queue.add(request(26, false).io);  // past the end
  std::vector<io_request*> done;
  while (!queue.is_idle()) {
    queue.wait(done);
  }
  ASSERT_EQ(done.size(), 4U);
  EXPECT_EQ(requests[0]->io.result, static_cast<long>(part_bytes));
  EXPECT_EQ(bad.io.result, -EBADF);
  EXPECT_EQ(requests[2]->io.result, static_cast<long>(part_bytes));
  EXPECT_EQ(requests[3]->io.result, 0);
}

TEST_F(io_queues, run_a_request_at_once) {
  numbered& one = request(7, false);
  io_queue::run(one.io);
  EXPECT_EQ(one.io.result, static_cast<long>(part_bytes));
  EXPECT_EQ(one.memory, std::string(part_bytes, 'h'));
  one.io.fd = -1;
  io_queue::run(one.io);
  EXPECT_EQ(one.io.result, -EBADF);
}

}  // namespace
