#include "persistent-data/packed_blocks.h"

#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <array>
#include <cerrno>
#include <new>

#include "base/bytes.h"
#include "base/error.h"
#include "base/input.h"
#include "base/temporary_file.h"

namespace pd {
namespace {

constexpr int compression_level = 6;
constexpr int window_bits = 23;  // of those who pack and those who unpack
constexpr std::uint64_t end_of_blocks = UINT64_MAX;
constexpr std::size_t header_bytes = 12;  // of a block

}  // namespace

struct block_packer::compressor {
  explicit compressor(base::output& to) : out(to), context(ZSTD_createCCtx()) {
    if (context == nullptr) {
      throw std::bad_alloc();
    }
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, compression_level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_bits);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  }
  ~compressor() { ZSTD_freeCCtx(context); }
  compressor(const compressor&) = delete;
  compressor& operator=(const compressor&) = delete;

  // Compresses what there is, or ends the frame.
  void run(const void* bytes, std::size_t size, ZSTD_EndDirective how) {
    ZSTD_inBuffer from{bytes, size, 0};
    for (;;) {
      ZSTD_outBuffer to{buffer.data(), buffer.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context, &to, &from, how);
      if (ZSTD_isError(left) != 0) {
        throw std::bad_alloc();  // of what can go wrong here, nothing else is left
      }
      out << std::string_view(buffer.data(), to.pos);
      if (how == ZSTD_e_end ? left == 0 : from.pos == from.size) {
        return;
      }
    }
  }

  base::output& out;
  ZSTD_CCtx* context;
  std::vector<char> buffer = std::vector<char>(ZSTD_CStreamOutSize());
};

block_packer::block_packer(base::output& out, block_nr nr_blocks)
    : compressor_(std::make_unique<compressor>(out)) {
  out << pack_mark;
  std::array<std::byte, 8> size{};
  base::put_le64(size.data(), nr_blocks);
  put(size.data(), size.size());
}

block_packer::~block_packer() = default;

void block_packer::put(const void* bytes, std::size_t size) {
  compressor_->run(bytes, size, ZSTD_e_continue);
}

void block_packer::begin_block(block_nr where, int error) {
  std::array<std::byte, header_bytes> header{};
  base::put_le64(header.data(), where);
  base::put_le32(header.data() + 8, static_cast<std::uint32_t>(error));
  put(header.data(), header.size());
  ++nr_added_;
}

void block_packer::add(block_nr where, const std::byte* block) {
  begin_block(where, 0);
  put(block, block_size);
}

void block_packer::add_unreadable(block_nr where, int error) {
  begin_block(where, error);
}

void block_packer::finish() {
  std::array<std::byte, 16> end{};
  base::put_le64(end.data(), end_of_blocks);
  base::put_le64(end.data() + 8, nr_added_);
  compressor_->run(end.data(), end.size(), ZSTD_e_end);
}

namespace {

// The bytes of the frame, decompressed as they are asked for.
class decompressor {
 public:
  decompressor(int fd, const std::string& name)
      : name_(name), input_(fd, name), context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) {
      throw std::bad_alloc();
    }
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_bits);
  }
  ~decompressor() { ZSTD_freeDCtx(context_); }
  decompressor(const decompressor&) = delete;
  decompressor& operator=(const decompressor&) = delete;

  void expect_mark() {
    std::string mark(pack_mark.size(), '\0');
    for (char& letter : mark) {
      if (at_ == filled_ && !fill()) {
        break;
      }
      letter = compressed_[at_++];
    }
    if (mark != pack_mark) {
      throw base::data_error(name_ + ": This is not packed metadata.");
    }
  }

  void read(void* into, std::size_t size) {
    ZSTD_outBuffer to{into, size, 0};
    while (to.pos < to.size) {
      if (is_over_) {
        refuse("has less in it than it should");
      }
      if (at_ == filled_ && !fill()) {
        refuse("is cut off");
      }
      step(to);
    }
  }

  // The end of the frame, with its checksum, and of the file.
  void expect_end() {
    std::byte more{};
    ZSTD_outBuffer to{&more, 1, 0};
    while (!is_over_) {
      if (at_ == filled_ && !fill()) {
        refuse("is cut off");
      }
      step(to);
      if (to.pos > 0) {
        refuse("has more in it than it should");
      }
    }
    if (at_ != filled_ || fill()) {
      refuse("goes on after its end");
    }
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw base::data_error(name_ + ": the packed metadata " + what +
                           "\nHave it packed again, and see that all of it arrives.");
  }

 private:
  bool fill() {
    at_ = 0;
    filled_ = input_.read_some(compressed_.data(), compressed_.size());
    return filled_ > 0;
  }

  void step(ZSTD_outBuffer& to) {
    ZSTD_inBuffer from{compressed_.data(), filled_, at_};
    const std::size_t left = ZSTD_decompressStream(context_, &to, &from);
    at_ = from.pos;
    if (ZSTD_isError(left) != 0) {
      if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) {
        throw std::bad_alloc();
      }
      refuse(std::string("is damaged: ") + ZSTD_getErrorName(left));
    }
    is_over_ = left == 0;
  }

  const std::string& name_;
  base::input input_;
  ZSTD_DCtx* context_;
  std::vector<char> compressed_ = std::vector<char>(ZSTD_DStreamInSize());
  std::size_t at_ = 0;
  std::size_t filled_ = 0;
  bool is_over_ = false;
};

class unpacking {
 public:
  unpacking(int fd, const std::string& name)
      : name_(name), from_(fd, name), spool_(base::make_spool({}, name)) {}

  unpacked_blocks run() {
    from_.expect_mark();
    result_.nr_blocks = le64();
    if (result_.nr_blocks > max_metadata_blocks) {
      from_.refuse("is of a device of " + std::to_string(result_.nr_blocks) +
                   " blocks, more than metadata can use");
    }
    for (std::uint64_t where = le64(); where != end_of_blocks; where = le64()) {
      take(where);
    }
    if (result_.present.empty() || result_.present.front() != 0) {
      from_.refuse("lacks block 0");
    }
    if (le64() != result_.present.size()) {
      from_.refuse("does not have as many blocks as it says");
    }
    from_.expect_end();
    give_size();
    return std::move(result_);
  }

 private:
  std::uint64_t le64() {
    std::array<std::byte, 8> bytes{};
    from_.read(bytes.data(), bytes.size());
    return base::get_le64(bytes.data());
  }

  void take(block_nr where) {
    const bool ascends = result_.present.empty() || where > result_.present.back();
    if (where >= result_.nr_blocks || !ascends) {
      from_.refuse("has block " + std::to_string(where) + " where it can't be");
    }
    result_.present.push_back(where);
    std::array<std::byte, 4> error{};
    from_.read(error.data(), error.size());
    if (base::get_le32(error.data()) != 0) {
      result_.unreadable.push_back(where);
      return;
    }
    from_.read(block_.block(0), block_size);
    if (!base::is_zero(block_.block(0), block_size)) {
      write(where);
    }
  }

  void write(block_nr where) {
    const int error = base::write_at(spool_->fd(), where * block_size, block_.block(0), block_size);
    if (error != 0) {
      fail(error);
    }
  }

  void give_size() {
    const auto size = static_cast<off_t>(result_.nr_blocks * block_size);
    if (base::retry([&] { return ::ftruncate(spool_->fd(), size); }) != 0) {
      fail(errno);
    }
    result_.file = base::file_handle(::fcntl(spool_->fd(), F_DUPFD_CLOEXEC, 0));
    if (!result_.file.is_open()) {
      fail(errno);
    }
  }

  [[noreturn]] void fail(int error) const {
    throw base::io_error(
        base::system_message(name_ + ": unpacking into a temporary file", error,
                             "The environment variable TMPDIR names a folder for it."));
  }

  const std::string& name_;
  decompressor from_;
  std::unique_ptr<base::temporary_file> spool_;
  block_buffer block_{1};
  unpacked_blocks result_;
};

}  // namespace

unpacked_blocks unpack_blocks(int fd, const std::string& name) {
  return unpacking(fd, name).run();
}

}  // namespace pd
