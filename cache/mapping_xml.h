// Reads the mappings of a cache from XML, as cache_dump prints it (doc/format.md 12.4).
//
// What it says of dirty blocks is not believed: versions of cache_dump print that a block is clean
// though nobody can know, or though it is dirty. So every mapping is said to be dirty. Not thread
// safe.
#pragma once

#include "base/text_source.h"
#include "cache/mapping.h"

namespace cache {

// Says all mappings to the sink. Throws base::data_error, "FILE: line 3, column 9: reason", when
// the document is refused; base::io_error when it can't be read; and what the sink throws. The sink
// may have heard a part by then.
void read_mapping_xml(base::text_pieces& from, mapping_sink& sink);

}  // namespace cache
