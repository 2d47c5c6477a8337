// limits IMAGE [XML]: what this machine needs for the work that no tool can do without, one line
// each, separated by tabs: what, bytes, CPU seconds, wall seconds. One thread.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/file_handle.h"
#include "benchmarks/xml_lines.h"
#include "persistent-data/checksum.h"

namespace {

constexpr std::size_t chunk_blocks = 1024;
constexpr std::size_t chunk = chunk_blocks * pd::block_size;
constexpr std::uint32_t lines_formatted = 50000000;

// Keeps the compiler from leaving out what was computed.
volatile std::uint64_t result_sink;

struct used_time {
  double cpu;
  double wall;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

used_time now() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now().time_since_epoch();
  return {seconds(used.ru_utime) + seconds(used.ru_stime), wall.count()};
}

// `work` returns the bytes that it went through.
void measure(const std::string& what, const std::function<std::uint64_t()>& work) {
  const used_time begin = now();
  const std::uint64_t bytes = work();
  const used_time end = now();
  std::printf("%s\t%llu\t%.6f\t%.6f\n", what.c_str(), static_cast<unsigned long long>(bytes),
              end.cpu - begin.cpu, end.wall - begin.wall);
  std::fflush(stdout);
}

base::file_handle open_for_reading(const std::string& path, int flags) {
  base::file_handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (!file.is_open() && (flags == 0 || errno != EINVAL)) {
    throw base::io_error(base::system_message(path, errno));
  }
  return file;
}

// Calls `take` with one buffer full after the other; returns the size of the file.
template <typename Take>
std::uint64_t read_all(const base::file_handle& file, const std::string& name, Take take) {
  pd::block_buffer buffer(chunk_blocks);
  char* const bytes = reinterpret_cast<char*>(buffer.block(0));
  std::uint64_t size = 0;
  for (std::size_t got = chunk; got == chunk; size += got) {
    got = base::read_up_to(file.fd(), bytes, chunk, name);
    take(bytes, got);
  }
  return size;
}

std::uint64_t read_only(const std::string& path, int flags) {
  return read_all(open_for_reading(path, flags), path, [](const char*, std::size_t) {});
}

void measure_reading(const std::string& path, const std::string& what) {
  const bool direct = open_for_reading(path, O_DIRECT).is_open();
  measure((direct ? "direct read of the " : "read (direct is not to be had) of the ") + what,
          [&] { return read_only(path, direct ? O_DIRECT : 0); });
}

// Into a new file beside `path`, until it is on stable storage.
void measure_writing(const std::string& path, std::uint64_t size) {
  const std::string name = path + ".written";
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  base::file_handle file(::open(name.c_str(), flags | O_DIRECT, 0600));
  if (!file.is_open() && errno == EINVAL) {
    file = base::file_handle(::open(name.c_str(), flags, 0600));
  }
  if (!file.is_open()) {
    throw base::io_error(base::system_message(name, errno));
  }
  ::unlink(name.c_str());
  const pd::block_buffer buffer(chunk_blocks);
  const char* const bytes = reinterpret_cast<const char*>(buffer.block(0));
  measure("write of the image", [&] {
    for (std::uint64_t left = size; left > 0; left -= std::min<std::uint64_t>(left, chunk)) {
      base::write_all(file.fd(), bytes, std::min<std::uint64_t>(left, chunk), name);
    }
    if (::fsync(file.fd()) != 0) {
      throw base::io_error(base::system_message(name, errno));
    }
    return size;
  });
}

std::uint64_t size_of(const std::string& path) {
  return base::size_in_bytes(open_for_reading(path, 0).fd(), path);
}

// Between buffers that few caches hold.
void measure_copy(std::uint64_t size) {
  constexpr std::size_t chunks = 16;
  const pd::block_buffer from(chunks * chunk_blocks);
  pd::block_buffer to(chunks * chunk_blocks);
  measure("copy in memory, of the image's size", [&] {
    std::size_t i = 0;
    for (std::uint64_t left = size; left > 0; left -= std::min<std::uint64_t>(left, chunk)) {
      std::memcpy(to.block(i), from.block(i), std::min<std::uint64_t>(left, chunk));
      i = (i + chunk_blocks) % (chunks * chunk_blocks);
    }
    result_sink = std::to_integer<std::uint64_t>(*to.block(0));
    return size;
  });
}

// Of blocks that have just been read, as a tool finds them.
void measure_checksums(std::uint64_t size) {
  const pd::block_buffer blocks(chunk_blocks);
  measure("checksums of as many blocks", [&] {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < size / pd::block_size; ++i) {
      sum += pd::body_crc(blocks.block(i % chunk_blocks));
    }
    result_sink = sum;
    return size;
  });
}

void measure_comparing(std::uint64_t size) {
  const std::vector<std::uint32_t> values(chunk / sizeof(std::uint32_t), 1);
  measure("largest of as many eras", [&] {
    for (std::uint64_t left = size; left > 0; left -= std::min<std::uint64_t>(left, chunk)) {
      const auto count = std::min<std::uint64_t>(left, chunk) / sizeof(std::uint32_t);
      std::uint32_t largest = 0;
      for (std::size_t i = 0; i < count; ++i) {
        largest = std::max(largest, values[i]);
      }
      result_sink = largest;
    }
    return size;
  });
}

// Finds the numbers and nothing else: no tag, no attribute and no order is looked at. What a line
// lacks at the end of a buffer is lost; there are few.
std::uint64_t scan_lines(const char* at, const char* end) {
  std::uint64_t sum = 0;
  while (end - at > 64) {
    at += std::strlen("    <bit block=\"");
    std::uint32_t number = 0;
    for (unsigned digit; (digit = static_cast<unsigned char>(*at) - '0') < 10; ++at) {
      number = 10 * number + digit;
    }
    sum += number;
    const auto* const line_end =
        static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
    at = line_end == nullptr ? end : line_end + 1;
  }
  return sum;
}

std::uint64_t scan(const std::string& xml) {
  std::uint64_t sum = 0;
  const std::uint64_t size = read_all(
      open_for_reading(xml, 0), xml,
      [&](const char* bytes, std::size_t count) { sum += scan_lines(bytes, bytes + count); });
  result_sink = sum;
  return size;
}

std::uint64_t format() {
  bench::xml_lines lines;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < lines_formatted; ++i) {
    lines.add_era(i, i % 100);
    if (lines.is_full()) {
      bytes += lines.text().size();
      lines.clear();
    }
  }
  return bytes + lines.text().size();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "Usage: limits IMAGE [XML]\n");
    return 1;
  }
  const std::string image = argv[1];
  try {
    const std::uint64_t size = size_of(image);
    measure_reading(image, "image");
    measure_writing(image, size);
    measure_copy(size);
    measure_checksums(size);
    measure_comparing(size);
    measure("formatting of 50 million lines", format);
    if (argc == 3) {
      const std::string xml = argv[2];
      measure_reading(xml, "XML");
      measure("read of the XML", [&] { return read_only(xml, 0); });
      measure("scan of the XML", [&] { return scan(xml); });
    }
  } catch (const base::error& e) {
    std::fprintf(stderr, "limits: %s\n", e.what());
    return 1;
  }
  return 0;
}
