// Documents of XML: the scanner and Expat hear the same, and what is accepted and has room is
// sound metadata, whose dump restores to the same dump, unless an era is missing.
#include <string>

#include "base/error.h"
#include "era/build/metadata_builder.h"
#include "era/read/contents_reader.h"
#include "era/xml/heard_contents_test_support.h"
#include "era/xml/xml_reader.h"
#include "era/xml/xml_writer.h"
#include "fuzzing/invariants.h"
#include "fuzzing/memory_file.h"

namespace {

// Room for some 100000 data blocks; what is larger is refused.
constexpr pd::block_nr metadata_blocks = 200;

// A dump that shows what is not set as well is of no more data blocks, to save time.
constexpr std::uint32_t most_blocks_in_full = 1000;

std::string hear(fuzz::memory_file& file, std::string_view document, bool scanning) {
  file.put(document);
  era::test::heard_contents all;
  try {
    base::no_progress silent;
    era::read_xml(
        {file.fd(), "xml"}, all, [&](const std::string& remark) { all.add_line(remark); }, silent,
        scanning);
  } catch (const base::data_error& e) {
    all.add_line(std::string("refused: ") + e.what());
  }
  return all.text();
}

// False if it is refused, or too large.
bool restore(fuzz::memory_file& file, std::string_view document, pd::block_device& into) {
  file.put(document);
  try {
    era::metadata_builder builder(into);
    base::no_progress silent;
    era::read_xml(
        {file.fd(), "xml"}, builder, [](const std::string&) {}, silent);
  } catch (const base::data_error&) {
    return false;
  } catch (const base::io_error&) {
    return false;
  }
  return true;
}

std::string dump(pd::block_device& device, bool compact) {
  const fuzz::memory_file printed;
  base::output out(printed.path());
  era::metadata_file file(device);
  era::strict_sink strict(device.name());
  era::xml_writer writer(out, compact);
  base::no_progress silent;
  era::send_contents(file, {}, strict, writer, silent);
  out.commit();
  return printed.text();
}

void check_round_trip(fuzz::memory_file& file, pd::block_device& device, bool compact) {
  const std::string dumped = dump(device, compact);
  fuzz::sparse_device again(metadata_blocks);
  fuzz::require(restore(file, dumped, again), "a dump can be restored", dumped);
  fuzz::require(dump(again, compact) == dumped, "what was dumped and restored is dumped as it was",
                dumped);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view document(reinterpret_cast<const char*>(data), size);
  fuzz::memory_file file;
  const std::string expat = hear(file, document, false);
  const std::string both = hear(file, document, true);
  fuzz::require(expat == both, "with the scanner a document says what it says to Expat",
                "Expat:\n" + expat + "with the scanner:\n" + both);
  fuzz::sparse_device device(metadata_blocks);
  if (restore(file, document, device)) {
    if (const auto held = fuzz::check_restored(device)) {
      check_round_trip(file, device, held->nr_blocks > most_blocks_in_full || size % 2 == 0);
    }
  }
  return 0;
}
