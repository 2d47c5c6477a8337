#include "faults.h"

#include <cstdio>
#include <stdexcept>

namespace faults {
namespace {

constexpr const char* source = R"(
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int wanted(const char* fault) {
  const char* given = getenv("FAULT");
  return given != NULL && strcmp(given, fault) == 0;
}

static int fail(int error) {
  errno = error;
  return -1;
}

int fsync(int fd) {
  static int interrupted = 0;
  struct stat info;
  const int is_folder = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
  if (is_folder && wanted("fsync folder")) {
    return fail(EIO);
  }
  if (!is_folder && wanted("wait")) {
    for (;;) {
      pause();
    }
  }
  if (wanted("fsync interrupted") && interrupted++ == 0) {
    return fail(EINTR);
  }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int close(int fd) {
  struct stat own, standard;
  const int is_copy = fd > 2 && fstat(fd, &own) == 0 && fstat(1, &standard) == 0 &&
                      own.st_dev == standard.st_dev && own.st_ino == standard.st_ino;
  const int result = ((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd);
  return is_copy && wanted("close stdout") ? fail(EIO) : result;
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  if (wanted("rename")) {
    return fail(EXDEV);
  }
  return ((int (*)(int, const char*, int, const char*))dlsym(RTLD_NEXT, "renameat"))(
      from_folder, from, to_folder, to);
}
)";

// Built once for each run of the tests.
const std::string& library() {
  static const harness::temporary_folder folder;
  static const std::string path = [] {
    harness::write_file(folder / "faults.c", source);
    const auto built = harness::run({COMPILER, "-x", "c", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o",
                                     folder / "faults.so", folder / "faults.c", "-ldl"});
    if (built.status != 0) {
      throw std::runtime_error("faults.c: " + built.err);
    }
    return folder / "faults.so";
  }();
  return path;
}

}  // namespace

bool available() {
  if (harness::sanitized()) {
    std::printf("skipped: a sanitizer wants to be the first library\n");
    return false;
  }
  return true;
}

std::vector<std::string> with(const std::string& fault, const std::vector<std::string>& command) {
  std::vector<std::string> all = {"env", "FAULT=" + fault, "LD_PRELOAD=" + library()};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

}  // namespace faults
