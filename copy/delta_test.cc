#include "copy/delta.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "copy/endpoint_test_support.h"

namespace {

using base::byte_range;
using base::test::message_of;
using copy::delta_header;
using copy::delta_reader;
using copy::delta_writer;
using copy::test::memory_end;

std::string number(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8) {
    text += static_cast<char>(value & 0xff);
  }
  return text;
}

std::string name_record(char letter, const std::string& name) {
  return letter + number(name.size(), 4) + name;
}

std::string size_record(std::uint64_t size) {
  return "s" + number(size, 8);
}

std::string place(char letter, std::uint64_t offset, std::uint64_t length) {
  return letter + number(offset, 8) + number(length, 8);
}

const std::string line = "rbd diff v1\n";
constexpr std::uint64_t small_size = 400000;

class deltas : public testing::Test {
 protected:
  // What a reader makes of a stream: the target, or the message of the error.
  std::string applied(const std::string& stream, std::string onto) {
    base::test::write_file(folder / "stream", stream);
    const base::file_handle file(::open((folder / "stream").c_str(), O_RDONLY | O_CLOEXEC));
    return applied(file.fd(), std::move(onto));
  }

  static std::string applied(int fd, std::string onto) {
    memory_end to("target", std::move(onto));
    try {
      delta_reader from(fd, "stream");
      base::no_progress progress;
      copy::copy_extents(
          from, to, [&] { return from.next(); }, 0, {}, progress);
    } catch (const base::error& failure) {
      return failure.what();
    }
    return to.stable;
  }

  std::string written(memory_end& from, const std::vector<byte_range>& ranges,
                      const delta_header& header) {
    {
      base::output out(folder / "written");
      delta_writer to(out, "written", header);
      base::no_progress progress;
      copy::copy_extents(from, to, copy::test::these_ranges(ranges), 0, {}, progress);
      to.finish();
      out.commit();
    }
    return base::test::read_file(folder / "written");
  }

  // Data, zeros, and data of two pieces.
  std::string small_stream() {
    std::string bytes(small_size, 'x');
    bytes.replace(8192, 200000, 200000, '\0');
    memory_end from("source", bytes);
    return written(from, {{4096, 300000 / 4096 * 4096}}, {"era-2-9x8", "era-5-9x8", small_size});
  }

  base::test::temporary_folder folder;
};

TEST_F(deltas, have_the_bytes_of_the_container) {
  std::string bytes(200000, 'x');
  bytes.replace(65536, 65536, 65536, '\0');
  memory_end from("source", bytes);
  EXPECT_TRUE(
      written(from, {{0, 4096}, {65536, 131072}, {196608, 200000}}, {"from", "to", 200000}) ==
      line + name_record('f', "from") + name_record('t', "to") + size_record(200000) +
          place('w', 0, 4096) + std::string(4096, 'x') + place('z', 65536, 65536) +
          place('w', 196608, 3392) + std::string(3392, 'x') + "e");
  EXPECT_TRUE(written(from, {}, {{}, "to", 200000}) ==
              line + name_record('t', "to") + size_record(200000) + "e");
}

TEST_F(deltas, join_zeros) {
  memory_end from("source", std::string(4 << 20, '\0'));
  EXPECT_TRUE(written(from, {{0, 3 << 20}, {3 << 20, 4 << 20}}, {{}, {}, 4 << 20}) ==
              line + size_record(4 << 20) + place('z', 0, 4 << 20) + "e");
}

TEST_F(deltas, carry_any_ranges) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    const std::size_t size = (3 << 20) - 512 * seed;
    memory_end from("source", copy::test::patterned_bytes(size, 1));
    const std::string target = copy::test::patterned_bytes(size, 2);
    const auto ranges = copy::test::random_ranges(size, 512 << seed, seed);
    const std::string stream = written(from, ranges, {{}, "to", size});
    EXPECT_TRUE(applied(stream, target) == copy::test::merged(target, from.bytes(), ranges));
  }
}

TEST_F(deltas, tell_their_header) {
  base::test::write_file(folder / "stream", small_stream());
  const base::file_handle file(::open((folder / "stream").c_str(), O_RDONLY | O_CLOEXEC));
  const delta_reader reader(file.fd(), "stream");
  EXPECT_EQ(reader.header(), (delta_header{"era-2-9x8", "era-5-9x8", small_size}));
  EXPECT_EQ(reader.size(), small_size);
}

TEST_F(deltas, that_are_cut_off_are_never_taken_for_whole_ones) {
  const std::string stream = small_stream();
  const std::string target(small_size, '-');
  const std::string whole = applied(stream, target);
  ASSERT_EQ(whole.size(), small_size);
  // Every byte of what is not data, and some of the data.
  std::size_t tried = 0;
  for (std::size_t length = 0;
       length<stream.size(); length += length> 100 && length + 100 < stream.size() ? 997 : 1) {
    const std::string told = applied(stream.substr(0, length), target);
    ASSERT_TRUE(told == "stream: byte " + std::to_string(length) +
                            ": the stream ends in the middle, it was cut off")
        << length << ": " << told.substr(0, 200);
    ++tried;
  }
  EXPECT_GT(tried, 150U);
}

TEST_F(deltas, come_through_a_slow_pipe) {
  const std::string stream = small_stream();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::file_handle reading(ends[0]);
  std::thread writer([&, writing = base::file_handle(ends[1])]() {
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = std::min(stream.size() - at, at < 200 ? 1 : at % 1777 + 1);
      base::write_all(writing.fd(), stream.data() + at, size, "pipe");
      at += size;
    }
  });
  const std::string through_pipe = applied(reading.fd(), std::string(small_size, '-'));
  writer.join();
  EXPECT_TRUE(through_pipe == applied(stream, std::string(small_size, '-')));
}

TEST_F(deltas, that_are_wrong_are_refused_with_the_place) {
  const std::string target(1000, '-');
  const std::string sized = line + size_record(1000);
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"x", "stream: is not a delta stream, which begins with the line \"rbd diff v1\""},
      {"rbd diff v2\n", "is not a delta stream"},
      {std::string(5000, '\0'), "is not a delta stream"},
      {line + "x", "byte 13: a record of a kind that is not known"},
      {line + name_record('f', "a") + name_record('f', "a"), "a second name"},
      {sized + size_record(1000), "byte 22: a second size"},
      {line + size_record(UINT64_MAX), "more than a device can have"},
      {line + "f" + number(4097, 4), "a name of 4097 bytes is too long"},
      {line + "t" + number(UINT32_MAX, 4), "a name of 4294967295 bytes is too long"},
      {sized + place('z', 0, 1001),
       "byte 38: 1001 bytes at byte 0 lie past the end of the device, which has 1000 bytes"},
      {sized + place('w', 1001, 0), "lie past the end"},
      {sized + place('w', UINT64_MAX, 2), "lie past the end"},
      {sized + place('w', 2, UINT64_MAX), "lie past the end"},
      {line + place('w', INT64_MAX, 1), "lie past the end of the device"},
      {line + place('z', 0, 2000) + "e", "target: has 1000 bytes, but bytes up to 2000"},
      {sized + place('z', 0, 10) + name_record('t', "a"), "after the first record of data"},
      {sized + place('z', 0, 10) + "ee", "byte 40: there is more after the end"},
  };
  for (const auto& [stream, reason] : wrong) {
    const std::string told = applied(stream, target);
    EXPECT_NE(told.find(reason), std::string::npos) << told;
  }
}

TEST_F(deltas, are_read_in_order_only) {
  base::test::write_file(folder / "stream", line + place('w', 8, 4) + "abcd" + "e");
  const base::file_handle file(::open((folder / "stream").c_str(), O_RDONLY | O_CLOEXEC));
  delta_reader from(file.fd(), "stream");
  std::array<std::byte, 8> memory{};
  const auto ask = [&](copy::request::kind what, std::uint64_t offset, std::size_t size) {
    copy::request wanted{what, offset, size, memory.data(), memory.size(), 0, nullptr};
    from.start(wanted);
    return wanted.error;
  };
  using kind = copy::request::kind;
  EXPECT_THROW(ask(kind::read, 8, 4), std::logic_error);  // not given by next() yet
  ASSERT_EQ(from.next(), (copy::extent{{8, 12}, false}));
  EXPECT_THROW(ask(kind::read, 9, 3), std::logic_error);
  EXPECT_THROW(ask(kind::read, 8, 5), std::logic_error);
  EXPECT_THROW(ask(kind::write, 8, 4), std::logic_error);
  EXPECT_THROW(from.next(), std::logic_error);
  EXPECT_EQ(ask(kind::read, 8, 3), 0);
  EXPECT_THROW(ask(kind::read, 8, 1), std::logic_error);
  EXPECT_EQ(ask(kind::read, 11, 1), 0);
  EXPECT_EQ(from.next(), std::nullopt);
  EXPECT_EQ(from.next(), std::nullopt);
  EXPECT_THROW(ask(kind::read, 12, 1), std::logic_error);
}

TEST_F(deltas, that_no_reader_takes_are_not_written) {
  base::output out(folder / "written");
  const std::string longest(copy::longest_delta_name, 'a');
  EXPECT_NO_THROW(delta_writer(out, "written", {longest, longest, INT64_MAX}));
  for (const delta_header& wrong :
       {delta_header{longest + "a", {}, 1}, {{}, longest + "a", 1}, {{}, {}, 1ULL << 63}}) {
    EXPECT_THROW(delta_writer(out, "written", wrong), std::logic_error);
  }
  delta_writer to(out, "written", {{}, {}, 1000});
  std::array<std::byte, 8> memory{};
  for (const auto what : {copy::request::kind::write, copy::request::kind::zero}) {
    copy::request last{what, 992, 8, memory.data(), memory.size(), 0, nullptr};
    EXPECT_NO_THROW(to.start(last));
    for (const std::uint64_t offset : {std::uint64_t{993}, std::uint64_t{1001}, UINT64_MAX}) {
      copy::request past{what, offset, 8, memory.data(), memory.size(), 0, nullptr};
      EXPECT_THROW(to.start(past), std::logic_error) << offset;
    }
  }
}

TEST_F(deltas, with_empty_records_are_as_without) {
  const std::string target(1000, '-');
  EXPECT_TRUE(applied(line + place('w', 5, 0) + place('z', 7, 0) + place('w', 1, 2) + "ab" +
                          place('w', 9, 0) + "e",
                      target) == "-ab" + std::string(997, '-'));
}

TEST_F(deltas, whose_records_overlap_are_applied_in_order) {
  const std::string target(100, '-');
  EXPECT_TRUE(applied(line + place('w', 10, 20) + std::string(20, 'a') + place('w', 15, 5) +
                          std::string(5, 'b') + place('z', 0, 12) + "e",
                      target) ==
              std::string(12, '\0') + "aaabbbbb" + std::string(10, 'a') + std::string(70, '-'));
}

// A single changed byte is refused, or leads to a target of the same size and no crash.
TEST_F(deltas, survive_any_changed_byte) {
  std::string stream = line + name_record('t', "to") + size_record(1000) + place('w', 1, 30) +
                       std::string(30, 'a') + place('z', 100, 200) + "e";
  const std::string target(1000, '-');
  std::size_t refused = 0;
  for (std::size_t i = 0; i < stream.size(); ++i) {
    for (const int change : {1, 0x80, 0xff}) {
      std::string changed = stream;
      changed[i] = static_cast<char>(changed[i] ^ change);
      if (applied(changed, target).size() != target.size()) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 3 * line.size());
}

}  // namespace
