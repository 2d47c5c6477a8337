// An era target that serves requests side by side (doc/design.md 7).
//
// Writes to marked blocks pass at once. All others that wait share one mark and commit, made by one
// worker: while it commits, the next lot gathers. The worker also digests archived eras: all the
// time when it is idle, one step a commit when it is not.
//
// Who writes holds a write_pass from before it looks at the marks until the origin has the data. No
// era begins while one is held, so a write is over before its era is: what completes later has a
// later mark. Who wants an era to begin is not kept waiting by new writes: they wait for it.
//
// Thread safe, but for start() and stop().
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/byte_range.h"
#include "era/target/target.h"

namespace served {

class served_target {
 public:
  // The target must be running and stay; from start() to stop() it is the worker's. `report` is
  // told of failures that nobody waits for.
  served_target(era::target& running, std::function<void(const std::string&)> report);
  ~served_target();
  served_target(const served_target&) = delete;
  served_target& operator=(const served_target&) = delete;

  // Begins the worker's thread.
  void start();

  // Ends the thread, once no write is under way; those that come later are refused. The target is
  // left running.
  void stop();

  class write_pass {
   public:
    write_pass(write_pass&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    write_pass& operator=(write_pass&&) = delete;
    ~write_pass();

   private:
    friend served_target;
    explicit write_pass(served_target& of) : of_(&of) {}
    served_target* of_;
  };

  // Waits until every block that has one of these bytes is marked, and committed. The bytes lie
  // within the target. Throws base::io_error where that can't be done: nothing may be written then.
  [[nodiscard]] write_pass begin_write(const base::byte_range& bytes);

  enum class writes {
    go_on,
    wait  // none is under way during the job
  };

  // Has the worker do a job between two commits, and waits for it. Throws what the job throws.
  void call(writes meanwhile, const std::function<void(era::target&)>& job);

 private:
  // Writes that wait for one commit. Those who wait are woken all at once, and need no mutex.
  struct batch {
    std::vector<era::block_range> blocks;
    std::exception_ptr failure;  // once it is done
    std::atomic<int> done = 0;   // an int is what the system can wait for
  };

  struct waiting_call {
    writes meanwhile;
    const std::function<void(era::target&)>* job;
    bool done = false;
    std::exception_ptr failure = nullptr;
    std::condition_variable wake = {};
  };

  using lock = std::unique_lock<std::mutex>;

  era::block_range blocks_of(const base::byte_range& bytes) const;
  write_pass enter();
  std::shared_ptr<batch> join_batch(const era::block_range& blocks);
  void leave();
  void work();
  bool gate_is_closed() const;
  waiting_call* due_call() const;
  void mark(batch& ready, lock& held);
  void run_call(waiting_call& call, lock& held);
  void digest(lock& held);
  bool digest_step();

  era::target& target_;
  const std::function<void(const std::string&)> report_;
  const std::uint64_t block_bytes_;

  std::mutex mutex_;  // for all below, and for the marks of the target
  std::condition_variable work_;
  std::condition_variable gate_;
  std::shared_ptr<batch> gathering_;  // null: no write waits
  std::vector<waiting_call*> calls_;
  std::uint64_t writes_under_way_ = 0;
  bool stopping_ = false;
  bool may_digest_ = true;           // there may be something to digest
  bool digested_something_ = false;  // that has not been committed
  std::thread thread_;
};

}  // namespace served
