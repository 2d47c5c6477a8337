#include "harness.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace harness {
namespace {

using clock = std::chrono::steady_clock;

[[noreturn]] void fail_with_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class descriptor {
 public:
  explicit descriptor(int fd = -1) : fd_(fd) {}
  ~descriptor() { close(); }
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close() {
    if (is_open()) {
      ::close(std::exchange(fd_, -1));
    }
  }

 private:
  int fd_;
};

struct pipe_ends {
  descriptor read;
  descriptor write;
};

pipe_ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    fail_with_errno("pipe");
  }
  return {descriptor(ends[0]), descriptor(ends[1])};
}

// The child's side of run(), from here to exec only async-signal-safe calls. Each function returns
// whether it went well, with errno set.

bool redirect_streams(const run_options& options, int in, int out, int err) {
  if (!options.stdout_path.empty()) {
    out = ::open(options.stdout_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (out < 0) {
      return false;
    }
  }
  return ::dup2(in, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0 &&
         ::dup2(err, STDERR_FILENO) >= 0;
}

bool change_folder(const std::string& folder) {
  return folder.empty() || ::chdir(folder.c_str()) == 0;
}

bool limit_resources(std::uint64_t memory_limit) {
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (memory_limit == 0) {
    return true;
  }
  const rlimit limit = {memory_limit, memory_limit};
  return ::setrlimit(RLIMIT_AS, &limit) == 0;
}

bool become_nobody() {
  constexpr id_t nobody = 65534;
  return ::geteuid() != 0 ||
         (::setgroups(0, nullptr) == 0 && ::setgid(nobody) == 0 && ::setuid(nobody) == 0);
}

[[noreturn]] void report_errno_and_exit(int fd) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(fd, &error, sizeof error);
  ::_exit(127);
}

// A running child and our ends of its streams.
struct child {
  pid_t pid;
  descriptor in;
  descriptor out;
  descriptor err;
};

child start(const std::vector<std::string>& arguments, const run_options& options) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  const std::uint64_t memory_limit = sanitized() ? 0 : options.memory_limit;

  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  auto trouble = make_pipe();  // closed by a successful exec, else it carries errno
  const pid_t pid = ::fork();
  if (pid < 0) {
    fail_with_errno("fork");
  }
  if (pid == 0) {
    ::setpgid(0, 0);
    ::signal(SIGPIPE, SIG_DFL);
    if (redirect_streams(options, in.read.get(), out.write.get(), err.write.get()) &&
        change_folder(options.folder) && limit_resources(memory_limit) &&
        (!options.as_nobody || become_nobody())) {
      ::execvp(argv[0], argv.data());
    }
    report_errno_and_exit(trouble.write.get());
  }
  trouble.write.close();
  int error = 0;
  if (::read(trouble.read.get(), &error, sizeof error) == static_cast<ssize_t>(sizeof error)) {
    ::waitpid(pid, nullptr, 0);
    throw std::system_error(error, std::generic_category(), "cannot run " + arguments.at(0));
  }
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  return {pid, std::move(in.write), std::move(out.read), std::move(err.read)};
}

// Writes what the pipe takes. Closes it after the last byte, or when nothing reads.
void feed(descriptor& fd, const std::string& input, std::size_t& fed) {
  const ssize_t n = ::write(fd.get(), input.data() + fed, input.size() - fed);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  fed += n > 0 ? static_cast<std::size_t>(n) : 0;
  if (n < 0 || fed == input.size()) {
    fd.close();
  }
}

void collect(descriptor& fd, std::string& to) {
  std::array<char, 65536> buffer;
  const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
  if (n > 0) {
    to.append(buffer.data(), static_cast<std::size_t>(n));
  } else if (n == 0 || errno != EINTR) {
    fd.close();
  }
}

int milliseconds_until(clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

// Serves the streams until both outputs are closed or the time is over.
void converse(child& process, const std::string& input, clock::time_point deadline, result& to) {
  std::size_t fed = 0;
  if (input.empty()) {
    process.in.close();
  }
  while (process.out.is_open() || process.err.is_open()) {
    // poll() passes over negative descriptors, so closed ones may stay in the list.
    std::array<pollfd, 3> wanted = {pollfd{process.in.get(), POLLOUT, 0},
                                    pollfd{process.out.get(), POLLIN, 0},
                                    pollfd{process.err.get(), POLLIN, 0}};
    const int ready = ::poll(wanted.data(), wanted.size(), milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) {
      fail_with_errno("poll");
    }
    if (ready == 0) {
      return;
    }
    if (ready < 0) {
      continue;
    }
    if (wanted[0].revents != 0) {
      feed(process.in, input, fed);
    }
    if (wanted[1].revents != 0) {
      collect(process.out, to.out);
    }
    if (wanted[2].revents != 0) {
      collect(process.err, to.err);
    }
  }
}

// Waits for the end of the process, and kills it (with all that it started) if the time is over.
int wait_for_exit(pid_t pid, clock::time_point deadline) {
  int status = 0;
  while (true) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) {
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    if (ended < 0 && errno != EINTR) {
      fail_with_errno("waitpid");
    }
    if (clock::now() >= deadline) {
      ::kill(-pid, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Looks every millisecond at the most memory that a process has had resident so far. (What the
// system reports at the end counts the fork of this process before its exec as well.)
class memory_watch {
 public:
  explicit memory_watch(pid_t pid)
      : status_("/proc/" + std::to_string(pid) + "/status"), thread_([this] { look(); }) {}
  ~memory_watch() { stop(); }

  // In bytes. Ends the watch.
  std::uint64_t peak() {
    stop();
    return peak_;
  }

 private:
  void look() {
    while (!stopped_) {
      std::ifstream status(status_);
      for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmHWM:", 0) == 0) {
          peak_ = 1024 * std::stoull(line.substr(6));
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  void stop() {
    stopped_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  std::string status_;
  std::uint64_t peak_ = 0;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

std::vector<era_run> runs_from(const nlohmann::json& json) {
  std::vector<era_run> runs;
  for (const auto& run : json) {
    runs.push_back({run.at(0), run.at(1), run.at(2)});
  }
  return runs;
}

image image_from(const std::string& name) {
  const std::string path = IMAGE_FOLDER "/" + name + ".json";
  const auto json = nlohmann::json::parse(read_file(path));
  const auto& superblock = json.at("superblock_expected");

  image result;
  result.name = name;
  result.metadata_bytes = json.at("metadata_bytes");
  result.block_size = json.at("block_size");
  result.current_writeset_open = superblock.at("current_writeset") == "in use";
  result.live = {superblock.at("current_era"), json.at("nr_blocks"),
                 runs_from(json.at("last_written"))};
  if (const auto& snap = json.at("snap"); !snap.is_null()) {
    result.snapshot = {snap.at("current_era"), snap.at("nr_blocks"),
                       runs_from(snap.at("last_written"))};
  }
  return result;
}

std::vector<image> load_images() {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(IMAGE_FOLDER)) {
    const auto name = entry.path().lexically_relative(IMAGE_FOLDER);
    if (name.extension() == ".json" && *name.begin() != "cache") {
      names.push_back(fs::path(name).replace_extension().string());
    }
  }
  std::sort(names.begin(), names.end());
  std::vector<image> result;
  std::transform(names.begin(), names.end(), std::back_inserter(result), image_from);
  return result;
}

std::string quoted(std::uint64_t number) {
  return '"' + std::to_string(number) + '"';
}

}  // namespace

result run(const std::vector<std::string>& arguments, const run_options& options) {
  const auto deadline = clock::now() + std::chrono::seconds(options.seconds);
  auto process = start(arguments, options);
  result result;
  std::optional<memory_watch> watch;
  if (options.watch_memory) {
    watch.emplace(process.pid);
  }
  converse(process, options.input, deadline, result);
  if (watch) {
    result.peak_memory = watch->peak();
  }
  result.status = wait_for_exit(process.pid, deadline);
  return result;
}

std::string tool(const std::string& name) {
  const char* folder = std::getenv("ERA_TOOLS_FOLDER");
  return std::string(folder != nullptr ? folder : TOOL_FOLDER) + '/' + name;
}

namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::string(value) == "1";
}

}  // namespace

bool sanitized() {
  return is_set("ERA_SANITIZED");
}

bool at_length() {
  return is_set("ERA_LONG");
}

const std::vector<std::string>& readers() {
  static const std::vector<std::string> names = {"era_check", "era_dump", "era_invalidate",
                                                 "era_stat"};
  return names;
}

const std::vector<std::string>& metadata_tools() {
  static const std::vector<std::string> names = {"era_check", "era_dump", "era_invalidate",
                                                 "era_restore"};
  return names;
}

const std::vector<std::string>& all_tools() {
  static const std::vector<std::string> names = {
      "era_cache_invalidate", "era_check",    "era_copy",          "era_dump",
      "era_invalidate",       "era_message",  "era_metadata_size", "era_repair",
      "era_restore",          "era_simulate", "era_stat"};
  return names;
}

temporary_folder::temporary_folder(const std::filesystem::path& parent) {
  auto pattern = (parent / "era-tools-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    fail_with_errno(pattern);
  }
  path_ = pattern;
  // Tools that run as nobody must get as far as the files.
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(bytes << file.rdbuf()))) {
    throw std::runtime_error("cannot read " + path);
  }
  return std::move(bytes).str();
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    throw std::runtime_error("cannot write " + path);
  }
}

void make_zeroed(const std::string& path, std::uint64_t bytes) {
  write_file(path, "");
  std::filesystem::resize_file(path, bytes);
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  for (const auto& row : rows) {
    std::string text;
    for (std::size_t column = 0; column < row.size(); ++column) {
      text += row[column] + std::string(widths[column] + 2 - row[column].size(), ' ');
    }
    std::printf("%s\n", text.substr(0, text.find_last_not_of(' ') + 1).c_str());
  }
  std::fflush(stdout);
}

std::string difference(const std::string& got, const std::string& expected) {
  if (got == expected) {
    return "";
  }
  std::istringstream got_lines(got);
  std::istringstream expected_lines(expected);
  for (std::uint64_t number = 1;; ++number) {
    std::string got_line;
    std::string expected_line;
    const bool got_any = !!std::getline(got_lines, got_line);
    const bool expected_any = !!std::getline(expected_lines, expected_line);
    if (!got_any && !expected_any) {
      return "the final newline differs";
    }
    if (got_any != expected_any || got_line != expected_line) {
      return "line " + std::to_string(number) + ": got " +
             (got_any ? "'" + got_line.substr(0, 200) + "'" : "the end") + ", expected " +
             (expected_any ? "'" + expected_line.substr(0, 200) + "'" : "the end");
    }
  }
}

std::vector<std::uint32_t> truth::eras() const {
  std::vector<std::uint32_t> result(nr_blocks, 0);
  for (const auto& run : runs) {
    for (std::uint64_t i = 0; i < run.count; ++i) {
      result.at(run.first + i) = run.era;
    }
  }
  return result;
}

std::string truth::logical_xml(std::uint32_t block_size) const {
  std::string xml = "<superblock uuid=\"\" block_size=" + quoted(block_size) +
                    " nr_blocks=" + quoted(nr_blocks) + " current_era=" + quoted(current_era) +
                    ">\n  <era_array>\n";
  std::uint64_t block = 0;
  for (const auto era : eras()) {
    xml += "    <era block=" + quoted(block++) + " era=" + quoted(era) + "/>\n";
  }
  return xml + "  </era_array>\n</superblock>\n";
}

std::string truth::invalidate_xml(std::uint32_t since) const {
  const auto all = eras();
  std::string xml = "<blocks>\n";
  std::uint64_t block = 0;
  while (block < nr_blocks) {
    if (all[block] < since) {
      ++block;
      continue;
    }
    const auto begin = block;
    while (block < nr_blocks && all[block] >= since) {
      ++block;
    }
    if (block == begin + 1) {
      xml += "  <block block=" + quoted(begin) + "/>\n";
    } else {
      xml += "  <range begin=" + quoted(begin) + " end = " + quoted(block) + "/>\n";
    }
  }
  return xml + "</blocks>\n";
}

void image::unpack(const std::string& path) const {
  run_options options;
  options.stdout_path = path;
  const auto unpacked =
      run({"zstd", "-dqc", "--sparse", IMAGE_FOLDER "/" + name + ".meta.zst"}, options);
  if (unpacked.status != 0) {
    throw std::runtime_error("cannot unpack " + name + ": " + unpacked.err);
  }
}

namespace {

const std::vector<image>& all_images() {
  static const auto all = load_images();
  return all;
}

std::vector<image> every_third(const std::vector<image>& of) {
  std::vector<image> some;
  for (std::size_t i = 0; i < of.size(); i += 3) {
    some.push_back(of[i]);
  }
  return some;
}

// Two million blocks are dumps of 80 MB, which sanitized tools print for minutes.
std::vector<image> images_to_test() {
  auto all = all_images();
  if (sanitized() && !at_length()) {
    std::erase_if(all, [](const image& one) { return one.name == "two_million"; });
    return every_third(all);
  }
  return all;
}

}  // namespace

const std::vector<image>& images() {
  static const auto some = images_to_test();
  return some;
}

const std::vector<image>& some_images() {
  static const auto some = sanitized() || at_length() ? images() : every_third(images());
  return some;
}

const image& image_named(std::string_view name) {
  for (const auto& candidate : all_images()) {
    if (candidate.name == name) {
      return candidate;
    }
  }
  throw std::out_of_range("no image " + std::string(name));
}

}  // namespace harness
