// measure SECONDS REPORT COMMAND...: runs the command, for no more than these seconds, and writes
// to the file REPORT one line: wall, user and system time in seconds, peak resident memory in KiB,
// and how it ended: "exit N", "signal N" or "time".
//
// A program of its own, and small, because the system begins to count a process's peak with what
// the process was that started it.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

volatile std::sig_atomic_t time_is_up = 0;

void on_alarm(int) {
  time_is_up = 1;
}

int fail(const char* what) {
  std::fprintf(stderr, "measure: %s: %s\n", what, std::strerror(errno));
  return 1;
}

// No SA_RESTART: waiting must end when the time is up.
void set_alarm(unsigned seconds) {
  struct sigaction action {};
  action.sa_handler = on_alarm;
  ::sigaction(SIGALRM, &action, nullptr);
  ::alarm(seconds);
}

// Becomes the command, in a process group of its own that dies with it or with us.
[[noreturn]] void execute(char** command) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::execvp(command[0], command);
  fail(command[0]);
  ::_exit(127);
}

// Kills the child, and what it started, when its time is up.
int wait_for(pid_t child, rusage& used) {
  int status = 0;
  while (::wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
    ::kill(-child, SIGKILL);
  }
  return status;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

bool write_report(const char* path, double wall, const rusage& used, int status) {
  std::FILE* const report = std::fopen(path, "w");
  if (report == nullptr) {
    return false;
  }
  std::fprintf(report, "%.6f %.6f %.6f %ld ", wall, seconds(used.ru_utime), seconds(used.ru_stime),
               used.ru_maxrss);
  if (time_is_up != 0) {
    std::fprintf(report, "time\n");
  } else if (WIFSIGNALED(status)) {
    std::fprintf(report, "signal %d\n", WTERMSIG(status));
  } else {
    std::fprintf(report, "exit %d\n", WEXITSTATUS(status));
  }
  return std::fclose(report) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "Usage: measure SECONDS REPORT COMMAND...\n");
    return 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child < 0) {
    return fail("fork");
  }
  if (child == 0) {
    execute(argv + 3);
  }
  set_alarm(static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10)));
  rusage used{};
  const int status = wait_for(child, used);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  return write_report(argv[2], wall.count(), used, status) ? 0 : fail(argv[2]);
}
