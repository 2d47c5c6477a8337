// make_xml: what make_image writes for the same options, as the XML that era_dump prints of it,
// without going through metadata. Input for era_restore, and what era_dump can be compared with.
#include "base/output.h"
#include "benchmarks/contents_options.h"
#include "era/xml/xml_writer.h"

namespace {

const cli::command command = bench::with_contents_options(
    {"make_xml",
     "[options] {FILE|-}",
     "Writes the XML of metadata with made-up eras and writesets to FILE, anew.",
     {{0, "compact", nullptr, "leave out unset bits and eras of 0, as era_dump --compact does"},
      {0, "order", "NAME", "has no effect here: XML is the same for both orders of blocks"},
      {0, "metadata-blocks", "N", "has no effect here"}}});

cli::exit_status make_xml(const cli::arguments& given) {
  const bench::contents what = bench::parse_contents(given);
  base::output out(bench::output_file(given));
  era::xml_writer xml(out, given.has("compact"));
  bench::send(what, xml);
  out.commit();
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, make_xml);
}
