// What the era target of Linux 6.1 refuses, and its exact words: one list, so that any other
// implementation can be held against the same.
//
// Devices are named by words: `metadata` is zeros, `formatted` holds metadata of blocks of 128
// sectors, `origin` is large enough, `missing` does not exist; the words that begin with `bad_`
// are like `formatted`, but one field of the superblock is larger by 1 (for `bad_checksum` the
// lowest bit of current_era is another, and the checksum as it was). Constants without state.
#pragma once

#include <array>

namespace kernel {

// A table line "0 131072 era ARGUMENTS" that cannot be loaded.
struct refused_table {
  const char* arguments;
  // What the target logs, in order; the rest are null. The last text is the reason, which the
  // device mapper passes on, those before it are details.
  std::array<const char*, 3> texts;
};

inline constexpr std::array refused_tables = {
    refused_table{"", {"Invalid argument count"}},
    refused_table{"metadata", {"Invalid argument count"}},
    refused_table{"metadata origin", {"Invalid argument count"}},
    refused_table{"metadata origin 128 1", {"Invalid argument count"}},
    refused_table{"missing origin 128", {"Error opening metadata device"}},
    refused_table{"metadata missing 128", {"Error opening data device"}},
    // The devices are opened before the number is looked at.
    refused_table{"missing origin 8x", {"Error opening metadata device"}},
    refused_table{"metadata missing 8x", {"Error opening data device"}},
    refused_table{"metadata origin -8", {"Error parsing block size"}},
    refused_table{"metadata origin 8x", {"Error parsing block size"}},
    refused_table{"metadata origin x", {"Error parsing block size"}},
    refused_table{"metadata origin +8", {"Error parsing block size"}},
    refused_table{"metadata origin ''", {"Error parsing block size"}},
    refused_table{"metadata origin 0", {"Invalid block size"}},
    refused_table{"metadata origin 7", {"Invalid block size"}},
    refused_table{"metadata origin 12", {"Invalid block size"}},
    refused_table{"metadata origin 4294967295", {"Invalid block size"}},
    // Only 32 bits count.
    refused_table{"metadata origin 4294967296", {"Invalid block size"}},
    refused_table{"formatted origin 64",
                  {"changing the data block size (from 128 to 64) is not supported",
                   "Error reading metadata"}},
    refused_table{"formatted origin 256",
                  {"changing the data block size (from 128 to 256) is not supported",
                   "Error reading metadata"}},
    refused_table{"bad_checksum origin 128",
                  {"sb_check failed: csum 88141017: wanted 4012718853",
                   "couldn't read_lock superblock", "Error reading metadata"}},
    refused_table{"bad_blocknr origin 128",
                  {"sb_check failed: blocknr 1: wanted 0", "couldn't read_lock superblock",
                   "Error reading metadata"}},
    refused_table{"bad_magic origin 128",
                  {"sb_check failed: magic 2126579580: wanted 2126579579",
                   "couldn't read_lock superblock", "Error reading metadata"}},
    refused_table{"bad_version origin 128",
                  {"Era metadata version 2 found, but only versions between 1 and 1 supported.",
                   "couldn't read_lock superblock", "Error reading metadata"}},
};

// A table line that one might expect to be refused, but is not, and the block size it gives.
struct odd_table {
  const char* arguments;
  unsigned block_size;
};

inline constexpr std::array odd_tables = {
    odd_table{"metadata origin 4294967304", 8},
    odd_table{"metadata origin 4294967424", 128},
    odd_table{"metadata origin 00128", 128},
    odd_table{"metadata metadata 128", 128},
};

// Messages in the order in which they are sent to one device; `error` is empty for those that
// succeed, and the era goes on by `eras`.
struct sent_message {
  const char* message;
  const char* error;
  unsigned eras;
};

inline constexpr std::array sent_messages = {
    sent_message{"hello", "unsupported message 'hello'", 0},
    sent_message{"checkpoints", "unsupported message 'checkpoints'", 0},
    sent_message{"checkpoint now", "incorrect number of message arguments", 0},
    sent_message{"hello world", "incorrect number of message arguments", 0},
    sent_message{"checkpoint", "", 1},
    sent_message{"CHECKPOINT", "", 1},
    sent_message{"Drop_Metadata_Snap", "no snap to drop", 0},
    sent_message{"Take_Metadata_Snap", "", 1},
    sent_message{"take_metadata_snap", "metadata snapshot already exists", 0},
    sent_message{"take_metadata_snap 1", "incorrect number of message arguments", 0},
    sent_message{"DROP_METADATA_SNAP", "", 0},
    sent_message{"drop_metadata_snap", "no snap to drop", 0},
};

}  // namespace kernel
