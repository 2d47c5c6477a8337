#include "base/content.h"

#include <blkid.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <memory>

#include "base/storage.h"

namespace base {
namespace {

struct magic {
  std::size_t at;
  std::string_view bytes;
  const char* what;
};

constexpr std::array<magic, 9> magics = {{
    {257, "ustar", "a tar archive"},
    {0, {"\x1f\x8b\x08", 3}, "a gzip file"},
    {0, {"\x28\xb5\x2f\xfd", 4}, "a zstd file"},
    {0, {"\xfd\x37zXZ\0", 6}, "an xz file"},
    {0, {"BZh", 3}, "a bzip2 file"},
    {0, {"\x04\x22\x4d\x18", 4}, "an lz4 file"},
    {0, {"PK\x03\x04", 4}, "a zip archive"},
    {0, {"QFI\xfb", 4}, "a qcow2 image"},
    {0,
     {"\x7f"
      "ELF",
      4},
     "a program"},
}};

struct name {
  std::string_view type;  // of libblkid
  const char* what;
};

constexpr std::array<name, 8> volumes = {{
    {"LVM2_member", "an LVM physical volume"},
    {"LVM1_member", "an LVM physical volume"},
    {"crypto_LUKS", "a LUKS volume"},
    {"BitLocker", "a BitLocker volume"},
    {"swap", "swap space"},
    {"swsuspend", "the image of a suspended system"},
    {"linux_raid_member", "a member of a RAID"},
    {"bcache", "a bcache device"},
}};

std::string describe_volume(const std::string& type) {
  for (const name& known : volumes) {
    if (known.type == type) {
      return known.what;
    }
  }
  if (type.ends_with("_member")) {
    return "a part of something larger (" + type + ")";
  }
  if (type.starts_with("DM_")) {
    return "data of the device mapper (" + type + ")";
  }
  // The letters whose names begin with a vowel are spoken one by one where no vowel comes after.
  const std::string_view vowels = "aeioAEIO";
  const bool spelt = type.size() > 1 &&
                     std::string_view("fhlmnrsx").find(type[0]) != std::string_view::npos &&
                     std::string_view("aeiouylr").find(type[1]) == std::string_view::npos;
  const bool an = vowels.find(type[0]) != std::string_view::npos || spelt;
  return (an ? "an " : "a ") + type + " file system";
}

std::string describe_table(const std::string& type) {
  return type == "gpt"   ? "a GPT partition table"
         : type == "dos" ? "an MBR partition table"
                         : "a partition table (" + type + ")";
}

std::string value_of(blkid_probe probe, const char* key) {
  const char* data = nullptr;
  return ::blkid_probe_lookup_value(probe, key, &data, nullptr) == 0 ? data : "";
}

std::string ask_libblkid(int fd) {
  constexpr const char* unreadable = "something that can't be read in full";
  const std::unique_ptr<blkid_struct_probe, void (*)(blkid_probe)> probe(::blkid_new_probe(),
                                                                         ::blkid_free_probe);
  if (probe == nullptr || ::blkid_probe_set_device(probe.get(), fd, 0, 0) != 0 ||
      ::blkid_probe_enable_partitions(probe.get(), 1) != 0) {
    return unreadable;
  }
  switch (::blkid_do_safeprobe(probe.get())) {
    case 0:
      break;
    case 1:
      return "";
    case -2:
      return "the remains of several file systems or partition tables";
    default:
      return unreadable;
  }
  const std::string type = value_of(probe.get(), "TYPE");
  const std::string table = value_of(probe.get(), "PTTYPE");
  return !type.empty() ? describe_volume(type) : !table.empty() ? describe_table(table) : "";
}

}  // namespace

bool looks_like_xml(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) {
    bytes.remove_prefix(3);
  }
  const std::size_t at = bytes.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos || bytes[at] != '<' || at + 1 == bytes.size()) {
    return false;
  }
  const char next = bytes[at + 1];
  return next == '?' || next == '!' || std::isalpha(static_cast<unsigned char>(next)) != 0;
}

std::string content_of(int fd) {
  const cached_reads any_size(fd);
  std::array<char, 4096> head{};
  ssize_t got = 0;
  do {
    got = ::pread(fd, head.data(), head.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    return got == 0 ? "" : "something that can't be read in full";
  }
  const std::string_view bytes(head.data(), static_cast<std::size_t>(got));
  const std::string known = ask_libblkid(fd);
  if (!known.empty()) {
    return known;
  }
  for (const magic& one : magics) {
    if (bytes.size() >= one.at && bytes.substr(one.at).starts_with(one.bytes)) {
      return one.what;
    }
  }
  return looks_like_xml(bytes) ? "an XML document" : "";
}

}  // namespace base
