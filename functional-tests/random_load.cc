#include "random_load.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <random>

#include "nbd_client.h"

namespace serving {
namespace {

using random_numbers = std::mt19937_64;

constexpr std::size_t most_under_way = 6;
constexpr std::uint64_t longest_slice = 200'000;
constexpr std::uint64_t never_written = 1 << 20;  // bytes, about the middle
constexpr unsigned nobody = random_load::nr_clients;

// Bytes that one client writes, one request at a time, so that it knows what they are. They begin
// and end anywhere: a data block has bytes of several clients.
struct slice {
  byte_span at;
  bool is_busy = false;
};

enum class kind { write, zero, trim, read, flush };

constexpr const char* names[] = {"write", "zero", "trim", "read", "flush"};

struct request {
  kind what;
  slice* of;
  byte_span at;
  std::string bytes;  // to write, or that are read
  std::uint32_t era_when_sent;
  bool is_answered = false;
  int error = 0;
};

std::vector<slice> slices_of(unsigned client, std::uint64_t bytes, unsigned seed) {
  random_numbers random(seed);
  std::vector<slice> mine;
  for (std::uint64_t begin = 0; begin < bytes;) {
    const std::uint64_t end = std::min(bytes, begin + 1 + random() % longest_slice);
    unsigned owner = static_cast<unsigned>(random() % (nobody + 1));
    if (end == bytes) {
      owner = 0;
    } else if (end > bytes / 2 && begin < bytes / 2 + never_written) {
      owner = nobody;
    }
    if (owner == client) {
      mine.push_back({{begin, end}});
    }
    begin = end;
  }
  return mine;
}

kind random_kind(random_numbers& random) {
  const unsigned at = random() % 100;
  return at < 45   ? kind::write
         : at < 57 ? kind::zero
         : at < 67 ? kind::trim
         : at < 95 ? kind::read
                   : kind::flush;
}

std::string random_bytes(std::size_t size, random_numbers& random) {
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
    const std::uint64_t eight = random();
    std::memcpy(bytes.data() + at, &eight, std::min(sizeof eight, size - at));
  }
  return bytes;
}

int note_answer(void* to, int* error) {
  auto& sent = *static_cast<request*>(to);
  sent.is_answered = true;
  sent.error = *error;
  return 1;
}

}  // namespace

class load_client {
 public:
  load_client(random_load& load, unsigned number, unsigned seed)
      : load_(load),
        random_(seed * 100 + number),
        mine_(slices_of(number, load.model_.size(), seed)),
        others_(slices_of(nobody, load.model_.size(), seed)),
        client_(load.server_.socket()) {}

  // Until it is to stop and all is answered, or the server is gone.
  void run() {
    while (is_connected() && (!load_.stopping_ || !under_way_.empty())) {
      while (!load_.stopping_ && under_way_.size() < most_under_way && send_one()) {
      }
      if (!under_way_.empty() && ::nbd_poll(client_.handle(), 100) < 0) {
        break;
      }
      take_answers();
    }
    take_answers();
    give_up();
  }

 private:
  bool is_connected() {
    return ::nbd_aio_is_dead(client_.handle()) == 0 && ::nbd_aio_is_closed(client_.handle()) == 0;
  }

  std::unique_ptr<request> random_request() {
    auto made = std::make_unique<request>();
    made->what = random_kind(random_);
    auto& from = made->what == kind::read && random_() % 4 == 0 ? others_ : mine_;
    made->of = &from[random_() % from.size()];
    const byte_span& slice = made->of->at;
    const std::uint64_t length = slice.end - slice.begin;
    made->at.begin = slice.begin + random_() % length;
    const std::uint64_t longest = random_() % 2 == 0 ? length : 5000;
    made->at.end = std::min(slice.end, made->at.begin + 1 + random_() % longest);
    return made;
  }

  // False if it can't be sent.
  bool send_one() {
    auto made = random_request();
    if (made->of->is_busy) {
      return true;
    }
    made->of->is_busy = true;
    under_way_.push_back(std::move(made));
    request& sending = *under_way_.back();
    sending.era_when_sent = load_.era_;
    if (send(sending) < 0) {
      sending.error = ENOTCONN;
      sending.is_answered = true;
      return false;
    }
    return true;
  }

  std::int64_t send(request& sending) {
    nbd_handle* const to = client_.handle();
    const std::uint64_t begin = sending.at.begin;
    const std::uint64_t size = sending.at.end - begin;
    const nbd_completion_callback answered = {note_answer, &sending, nullptr};
    const std::uint32_t fua = random_() % 8 == 0 ? LIBNBD_CMD_FLAG_FUA : 0;
    const std::uint32_t no_hole = random_() % 2 == 0 ? LIBNBD_CMD_FLAG_NO_HOLE : 0;
    sending.bytes.assign(size, '\0');
    switch (sending.what) {
      case kind::write:
        sending.bytes = random_bytes(size, random_);
        return ::nbd_aio_pwrite(to, sending.bytes.data(), size, begin, answered, fua);
      case kind::zero:
        return ::nbd_aio_zero(to, size, begin, answered, fua | no_hole);
      case kind::trim:
        return ::nbd_aio_trim(to, size, begin, answered, fua);
      case kind::read:
        return ::nbd_aio_pread(to, sending.bytes.data(), size, begin, answered, 0);
      case kind::flush:
        return ::nbd_aio_flush(to, answered, 0);
    }
    return -1;
  }

  void take_answers() {
    std::erase_if(under_way_, [&](const std::unique_ptr<request>& one) {
      if (!one->is_answered || (one->error != 0 && load_.may_end_)) {
        return false;
      }
      one->of->is_busy = false;
      take_answer(*one);
      return true;
    });
  }

  void take_answer(const request& one) {
    const std::string name = names[static_cast<int>(one.what)];
    const std::string where =
        name + " of bytes " + std::to_string(one.at.begin) + " to " + std::to_string(one.at.end);
    ++answered_[name];
    if (one.error != 0) {
      load_.report(where + ": " + std::strerror(one.error));
    } else if (one.what == kind::read) {
      if (load_.model_.contents().compare(one.at.begin, one.bytes.size(), one.bytes) != 0) {
        load_.report(where + ": not what was written");
      }
    } else if (one.what != kind::flush) {
      load_.model_.completed(one.at, one.bytes, {one.era_when_sent, load_.next_era_});
    }
  }

  void give_up() {
    const bool expected = load_.may_end_;
    for (const auto& one : under_way_) {
      if (one->what != kind::read && one->what != kind::flush) {
        load_.model_.interrupted(one->at, one->bytes, {one->era_when_sent, load_.next_era_});
      }
    }
    if (!expected && !under_way_.empty()) {
      load_.report("the server has gone");
    }
    const std::lock_guard held(load_.mutex_);
    load_.unanswered_ += under_way_.size();
    for (const auto& [name, count] : answered_) {
      load_.answered_[name] += count;
    }
  }

  random_load& load_;
  random_numbers random_;
  std::vector<slice> mine_;
  std::vector<slice> others_;  // that nobody writes
  std::map<std::string, std::uint64_t> answered_;
  std::vector<std::unique_ptr<request>> under_way_;  // longer than the handle: it fills them
  nbd_client client_;
};

random_load::random_load(const nbdkit_server& server, served_model& model, unsigned seed)
    : server_(server), model_(model), era_(status_of(server).era), next_era_(era_.load()) {
  for (unsigned number = 0; number < nr_clients; ++number) {
    threads_.emplace_back([this, number, seed] {
      try {
        load_client(*this, number, seed).run();
      } catch (const std::exception& e) {
        if (!may_end_) {
          report(e.what());
        }
      }
    });
  }
  threads_.emplace_back([this, seed] { send_messages(seed); });
}

random_load::~random_load() {
  stop();
}

void random_load::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

void random_load::report(const std::string& problem) {
  const std::lock_guard held(mutex_);
  problems_.push_back(problem);
}

void random_load::send_messages(unsigned seed) {
  random_numbers random(seed);
  const std::vector<std::string> all = {"checkpoint", "take_metadata_snap", "drop_metadata_snap"};
  try {
    while (!stopping_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1 + random() % 20));
      if (random() % 4 == 0) {
        check_list(static_cast<unsigned>(random()));
      } else {
        send_message(all[random() % all.size()]);
      }
    }
  } catch (const std::exception& e) {
    if (!may_end_) {
      report(e.what());
    }
  }
}

// Of one era at most.
void random_load::begin_eras(const std::function<void()>& by) {
  next_era_ = era_ + 1;
  by();
  era_ = status_of(server_).era;
  next_era_ = era_.load();
}

void random_load::send_message(const std::string& message) {
  begin_eras([&] {
    const std::string answer = server_.ask("message " + message);
    if (answer != "ok\n" && answer.find(" snap") == std::string::npos && !may_end_) {
      report(message + ": " + answer);
    }
  });
  const std::lock_guard held(mutex_);
  ++answered_["message"];
}

// A hash of every eighth block, since the load goes on meanwhile.
std::map<std::uint64_t, std::size_t> random_load::look_at_disk(unsigned part) const {
  std::ifstream disk(server_ / "origin", std::ios::binary);
  std::string bytes(model_.block_bytes(), '\0');
  std::map<std::uint64_t, std::size_t> hashes;
  for (std::uint64_t block = part % 8; block < model_.nr_blocks(); block += 8) {
    disk.clear();
    disk.seekg(static_cast<std::streamoff>(block * bytes.size()));
    disk.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    hashes[block] =
        std::hash<std::string>()(bytes.substr(0, static_cast<std::size_t>(disk.gcount())));
  }
  return hashes;
}

void random_load::check_list(unsigned part) {
  send_message("checkpoint");
  const std::uint32_t since = era_;
  const auto before = look_at_disk(part);
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const auto after = look_at_disk(part);
  std::vector<nbd_extent> extents;
  begin_eras(
      [&] { extents = nbd_client(server_.socket(), "since=" + std::to_string(since)).extents(); });
  auto extent = extents.begin();
  for (const auto& [block, hash] : after) {
    while (extent->end <= block * model_.block_bytes()) {
      ++extent;
    }
    if (before.at(block) != hash && extent->flags != 0) {
      report("block " + std::to_string(block) + " has changed, and is not in the list since " +
             std::to_string(since));
    }
  }
  const std::lock_guard held(mutex_);
  ++answered_["list"];
}

}  // namespace serving
