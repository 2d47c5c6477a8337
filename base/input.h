// Reads a file from where it stands, and can be made to stop waiting for a pipe into which nothing
// is written. A regular file is taken from the page cache as far as that has it, and the rest is
// read past it, ahead, on another thread: a long document that is read once would only drive other
// things out. One thread reads; any may call stop().
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "base/cache_credit.h"
#include "base/conveyor.h"
#include "base/file_handle.h"

namespace base {

class input {
 public:
  // `fd` must stay open, and is of a file called `name`.
  input(int fd, std::string name);

  // Reads what there is, at most `size` bytes; where nothing is yet, waits for it. 0 at the end of
  // the file, or once stopped. Throws io_error naming the file.
  std::size_t read_some(char* data, std::size_t size);

  void stop();

 private:
  // A part of a regular file, in memory aligned for direct reads.
  class piece {
   public:
    piece();

    static constexpr std::size_t most = 2 * 1024 * 1024;

    char* memory() { return bytes_.get(); }
    std::uint64_t begin = 0;  // position in the file
    std::size_t size = 0;

   private:
    struct release {
      void operator()(char* bytes) const { std::free(bytes); }
    };
    std::unique_ptr<char, release> bytes_;
  };

  void open_file();
  std::size_t read_stream(char* data, std::size_t size);
  std::size_t read_file(char* data, std::size_t size);
  std::optional<std::size_t> read_cached(char* data, std::size_t size);
  bool wait();  // false: stopped
  void read_directly_from_now();
  bool read_piece(piece& to);

  int fd_;
  std::string name_;
  file_handle stopped_;  // an eventfd

  // Regular files: by way of the page cache, and past it.
  file_handle cached_;
  file_handle direct_;
  std::uint64_t position_ = 0;  // of the next byte
  std::uint64_t next_piece_ = 0;
  cache_credit cache_credit_;
  std::optional<conveyor<piece>> pieces_;  // once the page cache pays no more
  std::shared_ptr<piece> piece_;           // the present one
};

}  // namespace base
