// A library that is loaded into a tool before all others and makes calls to the system fail; what
// the environment asks for is told in faults.h. Built by faults.cc.
//
// Only what is called between the begin and the end of main counts: what the dynamic loader needs
// is not the tool's doing.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// Programs call the second name where files may be large.
#define ALSO_AS(name, other) __typeof__(name) other __attribute__((alias(#name)))

// ---- single faults with a name ----

static int wanted(const char* fault) {
  const char* given = getenv("FAULT");
  return given != NULL && strcmp(given, fault) == 0;
}

static int fail(int error) {
  errno = error;
  return -1;
}

// ---- the call of a kind that fails ----

static const char* kind = "";
static const char* effect = "";
static unsigned long at;      // which call; 0 for none
static unsigned long number;  // of the error or signal; how many eighths of a torn write arrive
static int lasts;             // all later calls fail as well
static int uncached;          // the page cache never has what is asked for
static atomic_ulong no_counter;
static atomic_ulong* calls = &no_counter;  // in a file, so that it outlives the process
static atomic_int in_main;
static atomic_int torn;  // a write was: the device is gone

static const char* text_of(const char* name) {
  const char* given = getenv(name);
  return given != NULL ? given : "";
}

static void prepare(void) {
  kind = text_of("FAULT_KIND");
  effect = text_of("FAULT_EFFECT");
  at = strtoul(text_of("FAULT_AT"), NULL, 10);
  number = strtoul(text_of("FAULT_NUMBER"), NULL, 10);
  lasts = *text_of("FAULT_LASTS") != '\0';
  uncached = *text_of("FAULT_UNCACHED") != '\0';
  const int fd = REAL(open)(text_of("FAULT_COUNT"), O_RDWR | O_CLOEXEC);
  if (fd >= 0) {
    void* found = REAL(mmap)(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    calls = found != MAP_FAILED ? found : calls;
    REAL(close)(fd);
  }
}

static int has_effect(const char* name) {
  return strcmp(effect, name) == 0;
}

static int due(const char* of_kind) {
  if (!in_main || strcmp(kind, of_kind) != 0) {
    return 0;
  }
  const unsigned long call = atomic_fetch_add(calls, 1) + 1;
  if (at == 0 || !(call == at || (lasts && call > at))) {
    return 0;
  }
  if (has_effect("signal")) {
    kill(getpid(), (int)number);
    return 0;
  }
  return 1;
}

// For calls that succeed or fail and have no other effect.
static int refused(const char* of_kind) {
  if (due(of_kind)) {
    errno = (int)number;
    return 1;
  }
  return 0;
}

static int (*real_main)(int, char**, char**);

static int counted_main(int argc, char** argv, char** environment) {
  in_main = 1;
  const int status = real_main(argc, argv, environment);
  in_main = 0;
  return status;
}

int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void* stack_end) {
  real_main = main;
  prepare();
  return REAL(__libc_start_main)(counted_main, argc, argv, init, fini, loader_fini, stack_end);
}

// ---- reading and writing ----

enum { most_parts = 1024, sector = 512, by_position = -1 };

static size_t size_of(const struct iovec* parts, int count) {
  size_t size = 0;
  for (int i = 0; i < count; ++i) {
    size += parts[i].iov_len;
  }
  return size;
}

// The first `size` bytes of `parts`; returns how many parts they are.
static int cut(const struct iovec* parts, int count, size_t size, struct iovec* into) {
  int used = 0;
  for (; used < count && size > 0; ++used) {
    into[used] = parts[used];
    into[used].iov_len = size < parts[used].iov_len ? size : parts[used].iov_len;
    size -= into[used].iov_len;
  }
  return used;
}

// What a short read did not read must not be taken for what is there.
static void spoil_after(const struct iovec* parts, int count, size_t begin) {
  for (int i = 0; i < count; ++i) {
    const size_t skip = begin < parts[i].iov_len ? begin : parts[i].iov_len;
    memset((char*)parts[i].iov_base + skip, 0xa5, parts[i].iov_len - skip);
    begin -= skip;
  }
}

static ssize_t transfer(int writes, int fd, const struct iovec* parts, int count, off_t where,
                        int flags) {
  return writes ? REAL(pwritev2)(fd, parts, count, where, flags)
                : REAL(preadv2)(fd, parts, count, where, flags);
}

// By way of the page cache, which takes any size.
static ssize_t transfer_some(int writes, int fd, const struct iovec* parts, int count, size_t size,
                             off_t where) {
  if (size == 0) {
    return 0;
  }
  struct iovec some[most_parts];
  const int used = cut(parts, count, size, some);
  const int now = REAL(fcntl)(fd, F_GETFL);
  REAL(fcntl)(fd, F_SETFL, now & ~O_DIRECT);
  const ssize_t moved = transfer(writes, fd, some, used, where, 0);
  REAL(fcntl)(fd, F_SETFL, now);
  return moved;
}

static ssize_t move_half(int writes, int fd, const struct iovec* parts, int count, off_t where) {
  const size_t all = size_of(parts, count);
  size_t half = all >= 2 * sector ? all / 2 / sector * sector : all / 2;
  half = half > 0 ? half : all;
  const ssize_t moved = transfer_some(writes, fd, parts, count, half, where);
  if (!writes && moved >= 0) {
    spoil_after(parts, count, (size_t)moved);
  }
  return moved;
}

static ssize_t tear(int fd, const struct iovec* parts, int count, off_t where) {
  const size_t size = size_of(parts, count) * number / 8 / sector * sector;
  transfer_some(1, fd, parts, count, size, where);
  torn = 1;
  return fail(EIO);
}

static ssize_t moved_by(int writes, int fd, const struct iovec* parts, int count, off_t where,
                        int flags) {
  if (torn && writes && fd != STDERR_FILENO) {
    return fail(EIO);
  }
  // A message that cannot be written is nobody's result.
  if (fd == STDERR_FILENO || !due(writes ? "write" : "read")) {
    return transfer(writes, fd, parts, count, where, flags);
  }
  if (has_effect("short")) {
    return move_half(writes, fd, parts, count, where);
  }
  return has_effect("torn") ? tear(fd, parts, count, where) : fail((int)number);
}

// A block of the disk that is unreadable, the only fault that is at a place and not at a time.
static int meets_bad_block(const struct iovec* parts, int count, off_t where) {
  enum { block = 4096 };
  const off_t begin = (off_t)(at - 1) * block;
  return in_main && at > 0 && strcmp(kind, "block") == 0 && where < begin + block &&
         where + (off_t)size_of(parts, count) > begin;
}

static ssize_t read_at(int fd, const struct iovec* parts, int count, off_t where, int flags) {
  if (uncached && (flags & RWF_NOWAIT) != 0) {
    return fail(EAGAIN);
  }
  if (meets_bad_block(parts, count, where)) {
    return fail(EIO);
  }
  return moved_by(0, fd, parts, count, where, flags);
}

ssize_t preadv2(int fd, const struct iovec* parts, int count, off_t where, int flags) {
  return read_at(fd, parts, count, where, flags);
}
ALSO_AS(preadv2, preadv64v2);

ssize_t preadv(int fd, const struct iovec* parts, int count, off_t where) {
  return read_at(fd, parts, count, where, 0);
}
ALSO_AS(preadv, preadv64);

ssize_t pread(int fd, void* into, size_t size, off_t where) {
  const struct iovec part = {into, size};
  return read_at(fd, &part, 1, where, 0);
}
ALSO_AS(pread, pread64);

ssize_t read(int fd, void* into, size_t size) {
  const struct iovec part = {into, size};
  return moved_by(0, fd, &part, 1, by_position, 0);
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t where) {
  return moved_by(1, fd, parts, count, where, 0);
}
ALSO_AS(pwritev, pwritev64);

ssize_t pwrite(int fd, const void* from, size_t size, off_t where) {
  const struct iovec part = {(void*)from, size};
  return moved_by(1, fd, &part, 1, where, 0);
}
ALSO_AS(pwrite, pwrite64);

ssize_t write(int fd, const void* from, size_t size) {
  const struct iovec part = {(void*)from, size};
  return moved_by(1, fd, &part, 1, by_position, 0);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  return moved_by(1, fd, parts, count, by_position, 0);
}

// ---- the queue of libaio, whose header a compiler may not have at hand ----

struct iocb_part {
  const struct iovec* parts;
  unsigned long count;
  long long where, reserved;
  unsigned flags, event_fd;
};
struct iocb {
  void* data;
  unsigned key, flags;
  short opcode, priority;
  int fd;
  struct iocb_part request;
};
struct io_event {
  void* data;
  struct iocb* request;
  unsigned long result, second;
};
enum { opcode_preadv = 7, opcode_pwritev = 8, flag_event_fd = 1 };

int io_setup(int most, void** queue) {
  return due("queue") ? -(int)number
                      : ((int (*)(int, void**))dlsym(RTLD_NEXT, "io_setup"))(most, queue);
}

// Requests that failed, or were cut short, are done at once and wait here to be fetched.
static struct io_event finished[64];
static int nr_finished;

static int submit_one(void* queue, struct iocb* one) {
  const int writes = one->opcode == opcode_pwritev;
  const struct iocb_part* r = &one->request;
  const int is_bad = !writes && meets_bad_block(r->parts, (int)r->count, r->where);
  if (!is_bad && !(torn && writes) && !due(writes ? "write" : "read")) {
    return ((int (*)(void*, long, struct iocb**))dlsym(RTLD_NEXT, "io_submit"))(queue, 1, &one);
  }
  ssize_t result = -EIO;
  if (!is_bad && !torn) {
    result = has_effect("short")  ? move_half(writes, one->fd, r->parts, (int)r->count, r->where)
             : has_effect("torn") ? tear(one->fd, r->parts, (int)r->count, r->where)
                                  : fail((int)number);
    result = result < 0 ? -errno : result;
  }
  finished[nr_finished++] = (struct io_event){one->data, one, (unsigned long)result, 0};
  if ((r->flags & flag_event_fd) != 0) {
    const uint64_t more = 1;
    REAL(write)((int)r->event_fd, &more, sizeof more);
  }
  return 1;
}

int io_submit(void* queue, long count, struct iocb** requests) {
  if (due("queue")) {
    return -(int)number;
  }
  long taken = 0;
  while (taken < count && nr_finished < 64) {
    const int one = submit_one(queue, requests[taken]);
    if (one <= 0) {
      return taken > 0 ? (int)taken : one;
    }
    ++taken;
  }
  return (int)taken;
}

int io_getevents(void* queue, long least, long most, struct io_event* into,
                 struct timespec* timeout) {
  if (due("queue")) {
    return -(int)number;
  }
  // All that there are: who has read the event descriptor does not ask again.
  int got = 0;
  while (nr_finished > 0 && got < most) {
    into[got++] = finished[--nr_finished];
  }
  struct timespec at_once = {0, 0};
  const int more = ((int (*)(void*, long, long, struct io_event*, struct timespec*))dlsym(
      RTLD_NEXT, "io_getevents"))(queue, got > 0 ? 0 : least, most - got, into + got,
                                  got > 0 ? &at_once : timeout);
  return more >= 0 ? got + more : got > 0 ? got : more;
}

// ---- the device mapper ----

int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  enum { device_mapper = 0xfd };
  if ((request >> 8 & 0xff) == device_mapper && refused("device-mapper")) {
    return -1;
  }
  return ((int (*)(int, unsigned long, void*))dlsym(RTLD_NEXT, "ioctl"))(fd, request, argument);
}

// ---- flushing, names and descriptors ----

static int is_folder(int fd) {
  struct stat info;
  return REAL(fstat)(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

int fsync(int fd) {
  static int interrupted = 0;
  if (is_folder(fd) && wanted("fsync folder")) {
    return fail(EIO);
  }
  while (!is_folder(fd) && wanted("wait")) {
    pause();
  }
  if (wanted("fsync interrupted") && interrupted++ == 0) {
    return fail(EINTR);
  }
  return torn ? fail(EIO) : refused("flush") ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd) {
  return torn ? fail(EIO) : refused("flush") ? -1 : REAL(fdatasync)(fd);
}

// As on Linux, the descriptor is gone even where that fails.
int close(int fd) {
  struct stat own, standard;
  const int is_copy = fd > 2 && wanted("close stdout") && REAL(fstat)(fd, &own) == 0 &&
                      REAL(fstat)(1, &standard) == 0 && own.st_dev == standard.st_dev &&
                      own.st_ino == standard.st_ino;
  const int fails = due("close");
  const int result = REAL(close)(fd);
  return is_copy ? fail(EIO) : fails ? fail((int)number) : result;
}

// The mode is read where there is none as well; it is not used then.
#define MODE_AFTER(last)              \
  va_list more;                       \
  va_start(more, last);               \
  const int mode = va_arg(more, int); \
  va_end(more)

int open(const char* path, int flags, ...) {
  MODE_AFTER(flags);
  return refused("open") ? -1 : REAL(open)(path, flags, mode);
}
ALSO_AS(open, open64);

int openat(int folder, const char* path, int flags, ...) {
  MODE_AFTER(flags);
  return refused("open") ? -1 : REAL(openat)(folder, path, flags, mode);
}
ALSO_AS(openat, openat64);

int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  if (wanted("rename")) {
    return fail(EXDEV);
  }
  return refused("rename") ? -1 : REAL(renameat)(from_folder, from, to_folder, to);
}

// ---- what is asked about files, and their sizes and locks ----

int fstat(int fd, struct stat* into) {
  return refused("query") ? -1 : REAL(fstat)(fd, into);
}

int fstat64(int fd, struct stat64* into) {
  return refused("query") ? -1 : REAL(fstat64)(fd, into);
}

int stat(const char* path, struct stat* into) {
  return refused("query") ? -1 : REAL(stat)(path, into);
}

int stat64(const char* path, struct stat64* into) {
  return refused("query") ? -1 : REAL(stat64)(path, into);
}

off_t lseek(int fd, off_t where, int from) {
  return refused("query") ? -1 : REAL(lseek)(fd, where, from);
}
ALSO_AS(lseek, lseek64);

int flock(int fd, int how) {
  return refused("query") ? -1 : ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(fd, how);
}

int ftruncate(int fd, off_t size) {
  return refused("query") ? -1 : REAL(ftruncate)(fd, size);
}
ALSO_AS(ftruncate, ftruncate64);

int fallocate(int fd, int how, off_t begin, off_t size) {
  return refused("query") ? -1 : REAL(fallocate)(fd, how, begin, size);
}
ALSO_AS(fallocate, fallocate64);

int fcntl(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  return refused("query") ? -1 : REAL(fcntl)(fd, command, argument);
}
ALSO_AS(fcntl, fcntl64);

// ---- threads and memory ----

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) {
  return due("thread") ? (int)number : REAL(pthread_create)(thread, attributes, run, argument);
}

// By names of the C library that lead to its own functions: to look them up would need memory.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  return refused("memory") ? NULL : __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  return refused("memory") ? NULL : __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) {
  return refused("memory") ? NULL : __libc_realloc(old, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return refused("memory") ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void** into, size_t alignment, size_t size) {
  if (due("memory")) {
    return (int)number;
  }
  *into = __libc_memalign(alignment, size);
  return *into != NULL ? 0 : ENOMEM;
}
