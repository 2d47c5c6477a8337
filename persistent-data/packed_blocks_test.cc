#include "persistent-data/packed_blocks.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using base::test::read_file;
using base::test::write_file;

class packed_blocks : public testing::Test {
 protected:
  // Blocks 0, 1, 5 and 9 of 10, of which block 5 could not be read.
  std::string packed() {
    base::output out(folder_ / "packed");
    pd::block_packer packer(out, 10);
    for (const pd::block_nr where : {0U, 1U}) {
      packer.add(where, contents_of(where).block(0));
    }
    packer.add_unreadable(5, EIO);
    packer.add(9, contents_of(9).block(0));
    packer.finish();
    out.commit();
    return read_file(folder_ / "packed");
  }

  static pd::block_buffer contents_of(pd::block_nr where) {
    pd::block_buffer block(1);
    for (std::size_t i = 0; i < pd::block_size; ++i) {
      block.block(0)[i] = static_cast<std::byte>(i * (where + 3) % 251);
    }
    return block;
  }

  // Whether the file holds the blocks that packed() has put in.
  static bool is_right(const pd::unpacked_blocks& got) {
    pd::block_buffer found(11);
    bool right = got.present == std::vector<pd::block_nr>{0, 1, 5, 9} &&
                 got.unreadable == std::vector<pd::block_nr>{5} && got.nr_blocks == 10 &&
                 ::pread(got.file.fd(), found.block(0), 11 * pd::block_size, 0) ==
                     static_cast<ssize_t>(10 * pd::block_size);
    for (const pd::block_nr where : {0U, 1U, 9U}) {
      right = right &&
              std::memcmp(found.block(where), contents_of(where).block(0), pd::block_size) == 0;
    }
    for (const pd::block_nr where : {2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
      right = right && base::is_zero(found.block(where), pd::block_size);
    }
    return right;
  }

  pd::unpacked_blocks unpack(const std::string& bytes) {
    write_file(folder_ / "given", bytes);
    const base::file_handle file(::open((folder_ / "given").c_str(), O_RDONLY | O_CLOEXEC));
    return pd::unpack_blocks(file.fd(), "given");
  }

  base::test::temporary_folder folder_;
};

TEST_F(packed_blocks, are_unpacked_at_their_places) {
  EXPECT_TRUE(is_right(unpack(packed())));
}

TEST_F(packed_blocks, that_are_cut_off_or_changed_are_refused) {
  const std::string whole = packed();
  const std::string is_not_packed = "This is not packed metadata";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string said = message_of<base::data_error>([&] { unpack(whole.substr(0, size)); });
    EXPECT_NE(said.find(size < pd::pack_mark.size() ? is_not_packed : "is cut off"),
              std::string::npos)
        << size << ": " << said;
  }
  std::size_t harmless = 0;  // bits that mean nothing in a frame
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char change : {'\x01', '\x80'}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ change);
      try {
        EXPECT_TRUE(is_right(unpack(changed))) << at;
        ++harmless;
      } catch (const base::data_error&) {
      }
    }
  }
  EXPECT_LT(harmless, 10U);
  EXPECT_NE(message_of<base::data_error>([&] { unpack(whole + "x"); }).find("after its end"),
            std::string::npos);
  EXPECT_THROW(unpack(whole + whole), base::data_error);
}

TEST_F(packed_blocks, that_cannot_be_are_refused) {
  const auto packed_as = [&](pd::block_nr nr_blocks, const std::vector<pd::block_nr>& blocks) {
    base::output out(folder_ / "wrong");
    pd::block_packer packer(out, nr_blocks);
    for (const pd::block_nr where : blocks) {
      packer.add_unreadable(where, EIO);
    }
    packer.finish();
    out.commit();
    return read_file(folder_ / "wrong");
  };
  const std::pair<std::string, std::string> wrong[] = {
      {packed_as(10, {0, 10}), "has block 10 where it can't be"},
      {packed_as(10, {0, 2, 2}), "has block 2 where it can't be"},
      {packed_as(10, {0, 2, 1}), "has block 1 where it can't be"},
      {packed_as(10, {1, 2}), "lacks block 0"},
      {packed_as(10, {}), "lacks block 0"},
      {packed_as(0, {}), "lacks block 0"},
      {packed_as(pd::max_metadata_blocks + 1, {0}), "more than metadata can use"},
      {packed_as(UINT64_MAX, {0}), "more than metadata can use"},
  };
  for (const auto& [bytes, fact] : wrong) {
    const std::string said = message_of<base::data_error>([&, &packed = bytes] { unpack(packed); });
    EXPECT_NE(said.find(fact), std::string::npos) << said;
  }
}

TEST_F(packed_blocks, take_no_memory_that_a_frame_asks_for) {
  // A frame whose header wants a window of 2 GiB.
  const std::string header("\x28\xb5\x2f\xfd\x00\xa8", 6);
  const std::string said = message_of<base::data_error>(
      [&] { unpack(std::string(pd::pack_mark) + header + std::string(100, '\0')); });
  EXPECT_NE(said.find("is damaged"), std::string::npos) << said;
}

}  // namespace
