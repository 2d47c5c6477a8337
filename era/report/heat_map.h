// A picture of when the blocks of a device were last written: a heat map of address × era, as SVG.
// One file that needs nothing else, of a bounded number of shapes whatever the device, and with
// colours for light and dark viewers. Thread safe: no state.
#pragma once

#include "base/output.h"
#include "era/report/metadata_standing.h"
#include "era/report/statistics.h"

namespace era {

// Regions of the device from left to right, eras from the latest at the top to "never"; the darker,
// or in a dark viewer the brighter, the larger the share of a region that was last written then.
void print_heat_map(const metadata_standing& standing, const era_statistics& found,
                    base::output& out);

}  // namespace era
