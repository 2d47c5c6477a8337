// Clients that write to a served disk all at once, several requests of each under way, while eras
// begin and metadata snapshots come and go. Each keeps in the model what it has written, and holds
// what it reads against it. Beside them is one that looks at the disk and at lists, as a backup
// does: what has changed on the disk since an era began is in the list since that era.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "nbdkit_server.h"
#include "served_model.h"

namespace serving {

class random_load {
 public:
  static constexpr unsigned nr_clients = 4;

  // Begins. Both must stay until it is over.
  random_load(const nbdkit_server& server, served_model& model, unsigned seed);
  // Ends it as stop() does.
  ~random_load();
  random_load(const random_load&) = delete;
  random_load& operator=(const random_load&) = delete;

  // Lets what is under way be answered, and waits for all.
  void stop();

  // The server is killed next: from now on what is not answered is not a failure.
  void expect_end() { may_end_ = true; }

  // When it is over: what went wrong, how many requests of each kind were answered, and how many
  // were not.
  const std::vector<std::string>& problems() const { return problems_; }
  const std::map<std::string, std::uint64_t>& answered() const { return answered_; }
  std::uint64_t unanswered() const { return unanswered_; }
  std::uint32_t era() const { return era_; }

 private:
  friend class load_client;

  void send_messages(unsigned seed);
  void send_message(const std::string& message);
  void begin_eras(const std::function<void()>& by);
  void check_list(unsigned part);
  std::map<std::uint64_t, std::size_t> look_at_disk(unsigned part) const;
  void report(const std::string& problem);

  const nbdkit_server& server_;
  served_model& model_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> may_end_ = false;
  std::atomic<std::uint32_t> era_;       // that has begun for sure
  std::atomic<std::uint32_t> next_era_;  // that may have begun
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::vector<std::string> problems_;
  std::map<std::string, std::uint64_t> answered_;
  std::uint64_t unanswered_ = 0;
};

}  // namespace serving
