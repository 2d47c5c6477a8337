// Reads the XML of era metadata (doc/format.md 10.1) and hands its contents on in batches. Expat
// decides what is XML; what the elements mean, and whether their numbers are in range, is decided
// here. The lines that documents are full of, one `<bit>` or `<era>` just as dumps write them, are
// taken out before Expat sees them, where Expat is between two elements: that changes nothing of
// what it decides on the rest, and it is slow. Everything that either peer accepts is accepted,
// `<marked>` included, but for declarations of entities and attributes.
//
// Memory does not depend on the length of the document, and time grows in proportion to it. To that
// end what no dump needs is bounded: a tag or comment to a million bytes, a document type, the
// number of different unknown attributes and their names. Not thread safe.
#pragma once

#include <functional>
#include <string>

#include "base/progress.h"
#include "base/text_source.h"
#include "era/contents.h"

namespace era {

// Throws base::data_error: "FILE: line 3, column 9: reason", without the place if its line is 0.
[[noreturn]] void refuse_xml(const std::string& name, text_position at, const std::string& reason);

// Reads a document and says to the sink what it says, its numbers found good: the facts are in
// range, no era is later than the current one, blocks are below nr_blocks, bits below nr_bits. The
// sink hears of end() after the whole document was found good. What follows a document and a zero
// byte, with only white space between, is not looked at: a document that was written to a device
// ends there. `remark` hears what was ignored. Throws base::data_error when the document is
// refused, here or by the sink as a contents_conflict, and when its source was changed meanwhile;
// base::io_error when it can't be read; and what the sink throws.
//
// `scanning` false leaves everything to Expat, which comes to the same.
void read_xml(const base::text_source& source, contents_sink& sink,
              const std::function<void(const std::string&)>& remark, base::progress& progress,
              bool scanning = true);

}  // namespace era
