// Our tools beside the ones they replace, thin-provisioning-tools 0.9.0: the same answers, but for
// the deviations listed in peer_deviations.cc. Beside 1.1.0, which deviates in other ways, they are
// held against each other where both must be right: that each checks, dumps and restores what the
// other has made.
//
// The tests are skipped if its tools are not there (fixtures.h).
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <future>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.h"
#include "dump_parser.h"
#include "fixtures.h"
#include "harness.h"
#include "peer_deviations.h"

namespace {

using fixtures::document;
using fixtures::peer_folder;
using fixtures::peer_is_0_9_0;
using fixtures::peer_is_here;
using harness::difference;
using harness::result;
using harness::temporary_folder;
using peer::command;
using peer::question;
using peer::subject;

using words = std::vector<std::string>;

// A folder for one subject after the other.
struct bench {
  temporary_folder folder;
  std::string metadata = folder / "metadata";  // of the subject
  std::string xml = folder / "xml";
  std::string by_us = folder / "restored";  // where the two restore to
  std::string by_peer = folder / "restored_by_the_peer";
};

result run_ours(const words& arguments) {
  auto all = arguments;
  all.front() = harness::tool(all.front());
  return harness::run(all);
}

// Through a file: the peer writes line by line, and a pipe would double the time it takes.
result run_peers(const words& arguments) {
  const temporary_folder folder;
  auto all = arguments;
  all.front() = peer_folder() + '/' + all.front();
  harness::run_options options;
  options.stdout_path = folder / "output";
  auto got = harness::run(all, options);
  got.out = harness::read_file(options.stdout_path);
  return got;
}

words arguments_of(const question& asked, const std::string& path) {
  const auto since = std::to_string(asked.since);
  switch (asked.command) {
    case command::check:
      return {"era_check", path};
    case command::dump:
      return {"era_dump", path};
    case command::logical_dump:
      return {"era_dump", "--logical", path};
    case command::invalidate:
      return {"era_invalidate", "--written-since", since, path};
    case command::invalidate_snapshot:
      return {"era_invalidate", "--metadata-snapshot", "--written-since", since, path};
    case command::restore:
      break;
  }
  throw std::logic_error("a restore has another input");
}

std::string joined(const words& list) {
  std::string text;
  for (const auto& word : list) {
    text += (text.empty() ? "" : " + ") + word;
  }
  return text;
}

// The helpers that follow answer with what is wrong, or with "" where all is as it should be.

std::string dump_error(const subject& about, const std::string& xml) {
  const auto dump = harness::parse_dump(xml);
  const bool right = dump.block_size == about.block_size &&
                     dump.nr_blocks == about.live.nr_blocks &&
                     dump.current_era == about.live.current_era && dump.fold() == about.live.eras();
  return right ? "" : "the dump is not the truth";
}

// Holds our answer against what is known of the subject.
std::string truth_error(const subject& about, const question& asked, const result& ours) {
  if (ours.status != 0) {
    return "we fail: " + ours.err;
  }
  switch (asked.command) {
    case command::dump:
      return dump_error(about, ours.out);
    case command::logical_dump:
      return difference(ours.out, about.live.logical_xml(about.block_size));
    case command::invalidate:
      return difference(ours.out, about.live.invalidate_xml(asked.since));
    case command::invalidate_snapshot:
      return difference(ours.out, about.snapshot.value().invalidate_xml(asked.since));
    case command::check:
    case command::restore:
      break;
  }
  return "";
}

// 1.1.0 prints no final newline, and other numbers of unset bits at the end of writesets.
bool peer_is_verbatim() {
  return fixtures::peer_version() == "0.9.0";
}

std::vector<std::uint32_t> meaning_of(const std::string& whole_dump) {
  std::istringstream lines(whole_dump);
  std::string compact;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("value=\"false\"") == std::string::npos &&
        line.find(" era=\"0\"/>") == std::string::npos) {
      compact += line + '\n';
    }
  }
  return harness::parse_compact_dump(compact).fold();
}

std::string meaning_difference(const result& our_dump, const result& peers_dump) {
  return meaning_of(our_dump.out) == meaning_of(peers_dump.out) ? "" : "the dumps differ in eras";
}

// How the answers differ. Of a check only the verdict is compared: its report is our own.
std::string answer_difference(const question& asked, const result& ours, const result& peers) {
  if ((ours.status == 0) != (peers.status == 0)) {
    return "exit status " + std::to_string(ours.status) + " and the peer's " +
           std::to_string(peers.status) + ", " + ours.err + peers.err;
  }
  if (asked.command == command::check) {
    return "";
  }
  return peer_is_verbatim() ? difference(ours.out, peers.out) : meaning_difference(ours, peers);
}

// What is wrong with two answers, given the deviations that are expected.
std::string verdict(const words& expected, const std::string& differing) {
  if (expected.empty()) {
    return differing.empty() ? "" : "a deviation not listed: " + differing;
  }
  return differing.empty() ? "listed, but no deviation: " + joined(expected) : "";
}

// What came of asking both.
struct outcome {
  std::string wrong;
  words expected;  // the deviations that were to be found
};

outcome ask_both(const std::string& path, const subject& about, const question& asked) {
  const auto arguments = arguments_of(asked, path);
  const auto ours = run_ours(arguments);
  const auto peers = run_peers(arguments);
  const auto expected = peer::expected_deviations(about, asked);
  auto wrong = verdict(expected, answer_difference(asked, ours, peers));
  if (wrong.empty() && !expected.empty()) {
    wrong = truth_error(about, asked, ours);
  }
  return {wrong, expected};
}

std::string text_of(const question& asked) {
  std::string text;
  for (const auto& word : arguments_of(asked, "")) {
    text += word + ' ';
  }
  return text;
}

// The deviations found while asking, and how often.
struct tally {
  std::size_t asked = 0;
  std::map<std::string, std::size_t> found;

  std::string text() const {
    if (asked == 0) {
      return "-";
    }
    std::string text;
    for (const auto& [ids, times] : found) {
      text += (text.empty() ? "" : ", ") + ids;
      text += asked == 1 ? "" : " " + std::to_string(times) + "/" + std::to_string(asked);
    }
    return text.empty() ? "equal" : text;
  }
};

// What the list of deviations says of 0.9.0 is true of every version for a check or dump of what
// was restored, and for nothing else.
bool can_be_asked(const question& asked) {
  return fixtures::peer_version() == "0.9.0" || asked.command == command::check ||
         asked.command == command::dump;
}

// Asks all questions at the same time, as the peer sleeps for most of the time that a short answer
// takes. Catch is for one thread only, so the outcomes are judged here.
tally ask(const std::string& path, const subject& about, const std::vector<question>& questions) {
  std::vector<question> asked;
  std::copy_if(questions.begin(), questions.end(), std::back_inserter(asked), can_be_asked);
  std::vector<std::future<outcome>> outcomes;
  outcomes.reserve(asked.size());
  for (const auto& question : asked) {
    outcomes.push_back(
        std::async(std::launch::async, [&, question] { return ask_both(path, about, question); }));
  }
  tally tally;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto [wrong, expected] = outcomes[i].get();
    INFO(about.name << ", " << text_of(asked[i]));
    CHECK(wrong == "");
    ++tally.asked;
    if (!expected.empty()) {
      ++tally.found[joined(expected)];
    }
  }
  return tally;
}

// Every era that makes a difference and one above; of very many, or where each takes a second,
// those at the ends and a few between.
// A snapshot can have been taken for a list since its current era, not since a later one.
std::vector<question> at_eras(command command, const harness::truth& truth) {
  const auto last = truth.current_era + (command == command::invalidate_snapshot ? 0 : 1);
  const std::uint32_t few = truth.nr_blocks > 1000000 ? 2 : 30;
  const auto step = std::max<std::uint32_t>(1, last <= few ? 1 : last / std::min(few, 10u));
  std::vector<question> questions;
  for (std::uint32_t era = 0; era < last; era += step) {
    questions.push_back({command, era});
  }
  questions.push_back({command, last});
  return questions;
}

// Without a snapshot, all eras are refused alike.
std::vector<question> at_snapshot_eras(const subject& about) {
  if (about.snapshot) {
    return at_eras(command::invalidate_snapshot, *about.snapshot);
  }
  return {{command::invalidate_snapshot, 1}};
}

bool is_large(const subject& about) {
  return about.live.nr_blocks > 100000;
}

words table_row(const bench& bench, const harness::image& image) {
  const auto about = peer::subject_of(image);
  image.unpack(bench.metadata);
  words row = {image.name};
  for (const auto& questions : {std::vector<question>{{command::check}},
                                {{command::dump}},
                                {{command::logical_dump}},
                                at_eras(command::invalidate, about.live),
                                at_snapshot_eras(about)}) {
    row.push_back(ask(bench.metadata, about, questions).text());
  }
  return row;
}

// Restores `xml` with both tools, into files of `bytes`.
struct restored_by {
  result us;
  result peer;
};

restored_by restore(const bench& bench, const std::string& xml, std::uint64_t bytes) {
  harness::write_file(bench.xml, xml);
  harness::make_zeroed(bench.by_us, bytes);
  harness::make_zeroed(bench.by_peer, bytes);
  auto peers = std::async(std::launch::async, [&] {
    return run_peers({"era_restore", "-q", "-i", bench.xml, "-o", bench.by_peer});
  });
  return {run_ours({"era_restore", "-i", bench.xml, "-o", bench.by_us}), peers.get()};
}

// That both made sound metadata which we read as `plain`, and the peer what it made itself.
void check_restored(const bench& bench, const restored_by& done, const subject& about,
                    const std::string& plain) {
  CHECK(done.us.err == "");
  CHECK(done.us.status == 0);
  CHECK(done.peer.status == 0);
  for (const auto& path : {bench.by_us, bench.by_peer}) {
    const auto checked = run_ours({"era_check", path});
    INFO(checked.out);
    CHECK(checked.status == 0);
    CHECK(difference(run_ours({"era_dump", path}).out, plain) == "");
  }
  ask(bench.by_peer, about, {{command::dump}});
}

// A number below `bound`. The same on every machine, unlike the standard distributions.
std::uint32_t below(std::mt19937& random, std::uint32_t bound) {
  return static_cast<std::uint32_t>(random() % bound);
}

// Lengths around which arrays and bitsets change their form, or any other.
std::uint32_t random_length(std::mt19937& random) {
  static const std::vector<std::uint32_t> borders = {1,    63,   64,   65,    128,   1017,  1018,
                                                     1019, 2036, 4096, 32575, 32576, 32577, 32640};
  return below(random, 2) == 0 ? borders[below(random, static_cast<std::uint32_t>(borders.size()))]
                               : 1 + below(random, 5000);
}

fixtures::writeset random_writeset(std::mt19937& random, std::uint32_t era, std::uint32_t nr_bits) {
  fixtures::writeset set = {era, nr_bits, {}};
  const auto density = below(random, 101);  // percent
  for (std::uint32_t bit = 0; bit < nr_bits; ++bit) {
    if (below(random, 100) < density) {
      set.bits.insert(bit);
    }
  }
  return set;
}

document random_document(std::mt19937& random) {
  document made;
  made.block_size = 8 * (1 + below(random, 100));
  made.nr_blocks = random_length(random);
  const std::uint32_t lowest = 1 + below(random, 1000);
  const auto nr_writesets = below(random, 5);
  for (std::uint32_t i = 0; i < nr_writesets; ++i) {
    const auto nr_bits = below(random, 2) == 0 ? made.nr_blocks : random_length(random);
    made.writesets.push_back(random_writeset(random, lowest + i, nr_bits));
  }
  made.current_era = nr_writesets == 0 ? lowest : lowest + nr_writesets - 1;
  const auto density = below(random, 101);
  for (std::uint32_t block = 0; block < made.nr_blocks; ++block) {
    if (below(random, 100) < density) {
      made.eras[block] = below(random, lowest + 1);
    }
  }
  return made;
}

std::vector<question> questions_about(std::mt19937& random, const document& made) {
  const auto lowest = made.writesets.empty() ? made.current_era : made.writesets.front().era;
  return {{command::check},
          {command::dump},
          {command::logical_dump},
          {command::invalidate, 1 + below(random, lowest)},
          {command::invalidate, lowest},
          {command::invalidate, made.current_era}};
}

// A document for era_restore, and what it means; none if it must be refused.
struct restore_case {
  std::string what;
  std::string xml;
  std::optional<document> meaning = {};
};

const std::string head = R"(<superblock uuid="" block_size="128" nr_blocks="100" current_era="4">)";
const std::string tail = "</superblock>";
const std::string set =
    R"(<writeset era="4" nr_bits="100"><bit block="7" value="true"/></writeset>)";
const std::string array = R"(<era_array><era block="3" era="2"/></era_array>)";

document with(const std::vector<fixtures::writeset>& writesets,
              const std::map<std::uint32_t, std::uint32_t>& eras) {
  return {128, 100, 4, writesets, eras};
}

std::string whole(const std::string& inside) {
  return head + inside + tail;
}

std::string in_set(const std::string& inside) {
  return whole(R"(<writeset era="4" nr_bits="100">)" + inside + "</writeset>" + array);
}

std::string in_array(const std::string& inside) {
  return whole(set + "<era_array>" + inside + "</era_array>");
}

const document plain = with({{4, 100, {7}}}, {{3, 2}});

// What both accept, and what we accept in addition.
const std::vector<restore_case>& good_cases() {
  static const std::string other_array = R"(<era_array><era block="9" era="1"/></era_array>)";
  static const std::vector<restore_case> cases = {
      {"no white space", whole(set + array), plain},
      {"a declaration", R"(<?xml version="1.0" encoding="UTF-8"?>)" + whole(set + array), plain},
      {"a DOCTYPE", "<!DOCTYPE superblock>" + whole(set + array), plain},
      {"a DOCTYPE with an element declaration",
       "<!DOCTYPE superblock [<!ELEMENT superblock ANY>]>" + whole(set + array), plain},
      {"an external DOCTYPE", R"(<!DOCTYPE superblock SYSTEM "era.dtd">)" + whole(set + array),
       plain},
      {"an entity in text that says nothing",
       R"(<!DOCTYPE superblock SYSTEM "era.dtd">)" + whole("&e;" + set + array), plain},
      {"comments", "<!-- a -->" + whole("<!-- b -->" + set + array) + "<!-- c -->", plain},
      {"a processing instruction", "<?a b?>" + whole(set + array), plain},
      {"text between elements", whole("text" + set + "<![CDATA[more]]>" + array), plain},
      {"text in a bit", in_set(R"(<bit block="7" value="true">text</bit>)"), plain},
      {"a byte order mark", "\xef\xbb\xbf" + whole(set + array), plain},
      {"a bit with an end tag", in_set(R"(<bit block="7" value="true"></bit>)"), plain},
      {"an era with an end tag", in_array(R"(<era block="3" era="2"></era>)"), plain},
      {"single quotes", in_set("<bit block='7' value='true'/>"), plain},
      {"attributes in another order", in_set(R"(<bit value="true" block="7"/>)"), plain},
      {"a character reference", in_set(R"(<bit block="&#55;" value="true"/>)"), plain},
      {"leading zeros", in_set(R"(<bit block="007" value="true"/>)"), plain},
      {"a writeset in one tag", whole(R"(<writeset era="4" nr_bits="100"/>)" + array),
       with({{4, 100, {}}}, {{3, 2}})},
      {"an array in one tag", whole(set + "<era_array/>"), with({{4, 100, {7}}}, {})},
      {"no array", whole(set), with({{4, 100, {7}}}, {})},
      {"nothing", whole(""), with({}, {})},
      {"two arrays", whole(set + array + other_array), with({{4, 100, {7}}}, {{3, 2}, {9, 1}})},
      {"the array first", whole(array + set), plain},
      {"a writeset between arrays", whole(array + set + other_array),
       with({{4, 100, {7}}}, {{3, 2}, {9, 1}})},
      {"writesets in descending order",
       whole(set + R"(<writeset era="3" nr_bits="100"><bit block="8" value="true"/></writeset>)" +
             array),
       with({{3, 100, {8}}, {4, 100, {7}}}, {{3, 2}})},
      {"bits in descending order",
       in_set(R"(<bit block="77" value="true"/><bit block="7" value="true"/>)"),
       with({{4, 100, {7, 77}}}, {{3, 2}})},
      {"eras in descending order", in_array(R"(<era block="77" era="1"/><era block="3" era="2"/>)"),
       with({{4, 100, {7}}}, {{3, 2}, {77, 1}})},
      {"an unknown attribute of a bit", in_set(R"(<bit block="7" x="1" value="true"/>)"), plain},
      {"an unknown attribute of an era", in_array(R"(<era block="3" x="1" era="2"/>)"), plain},
      {"an unknown attribute of the array",
       whole(set + R"(<era_array x="1"><era block="3" era="2"/></era_array>)"), plain},
      {"unknown attributes",
       R"(<superblock x="1" uuid="" block_size="128" nr_blocks="100" current_era="4">)"
       R"(<writeset x="1" era="4" nr_bits="100"><bit block="7" value="true"/></writeset>)" +
           array + tail,
       plain},
      {"a uuid",
       R"(<superblock uuid="a" block_size="128" nr_blocks="100" current_era="4">)" + set + array +
           tail,
       plain},
      {"a longer writeset",
       whole(R"(<writeset era="4" nr_bits="1000"><bit block="999" value="true"/></writeset>)"),
       with({{4, 1000, {999}}}, {})},
      {"a shorter writeset",
       whole(R"(<writeset era="4" nr_bits="10"><bit block="7" value="true"/></writeset>)"),
       with({{4, 10, {7}}}, {})},
      {"a plus sign", in_set(R"(<bit block="+7" value="true"/>)"), plain},
      {"a marked run", in_set(R"(<marked block_begin="7" len="1"/>)"), plain},
      {"a marked run across words", in_set(R"(<marked block_begin="62" len="4"/>)"),
       with({{4, 100, {62, 63, 64, 65}}}, {{3, 2}})},
  };
  return cases;
}

// What both refuse, and what only we refuse.
const std::vector<restore_case>& bad_cases() {
  static const std::string good_bit = R"(<bit block="7" value="true"/>)";
  static const std::vector<restore_case> cases = {
      {"no byte", ""},
      {"a space", " "},
      {"no XML", "garbage"},
      {"no end", head + set},
      {"no end of a tag", R"(<superblock uuid="")"},
      {"no superblock", set + array},
      {"metadata of thin", "<superblock uuid=\"\" time=\"0\" transaction=\"0\"></superblock>"},
      {"two superblocks", whole(set + array) + whole("")},
      {"text after the end", whole(set + array) + "text"},
      {"a superblock in a superblock", whole("<superblock/>")},
      {"tags that do not match", head + R"(<writeset era="4" nr_bits="100"></era_array>)" + tail},
      {"a control character", whole("\x01" + set + array)},
      {"an undeclared entity", whole("&x;")},
      {"an unknown element", whole("<x/>")},
      {"an unknown element in a writeset", in_set(R"(<bits block="7" value="true"/>)")},
      {"a writeset in a writeset", in_set(set)},
      {"an era outside the array", whole(set + R"(<era block="1" era="1"/>)")},
      {"an era in a writeset", in_set(R"(<era block="1" era="1"/>)")},
      {"a bit before any writeset", whole(good_bit)},
      {"a bit past the end", in_set(R"(<bit block="100" value="true"/>)")},
      {"an unset bit past the end", in_set(R"(<bit block="100" value="false"/>)")},
      {"an era past the end", in_array(R"(<era block="100" era="1"/>)")},
      {"a negative bit", in_set(R"(<bit block="-1" value="true"/>)")},
      {"a blank before a number", in_set(R"(<bit block=" 7" value="true"/>)")},
      {"a blank after a number", in_set(R"(<bit block="7 " value="true"/>)")},
      {"a word for a number", in_set(R"(<bit block="seven" value="true"/>)")},
      {"a value that is neither true nor false", in_set(R"(<bit block="7" value="1"/>)")},
      {"an attribute twice", in_set(R"(<bit block="7" block="7" value="true"/>)")},
      {"no block of a bit", in_set(R"(<bit value="true"/>)")},
      {"no value of a bit", in_set(R"(<bit block="7"/>)")},
      {"no block of an era", in_array(R"(<era era="1"/>)")},
      {"no era of a block", in_array(R"(<era block="3"/>)")},
      {"no era of a writeset", whole(R"(<writeset nr_bits="100"></writeset>)")},
      {"no nr_bits", whole(R"(<writeset era="4"></writeset>)")},
      {"no uuid", R"(<superblock block_size="8" nr_blocks="9" current_era="5"></superblock>)"},
      {"no block_size", R"(<superblock uuid="" nr_blocks="9" current_era="5"></superblock>)"},
      {"no nr_blocks", R"(<superblock uuid="" block_size="8" current_era="5"></superblock>)"},
      {"no current_era", R"(<superblock uuid="" block_size="8" nr_blocks="9"></superblock>)"},
      {"a block size too large",
       R"(<superblock uuid="" block_size="4294967296" nr_blocks="9" current_era="5"/>)"},
      {"an era too large",
       R"(<superblock uuid="" block_size="8" nr_blocks="9" current_era="4294967296"/>)"},
      {"more blocks than there is room for",
       R"(<superblock uuid="" block_size="8" nr_blocks="2000000" current_era="5"/>)"},

      {"an era twice", whole(set + set + array)},
      {"a bit twice", in_set(good_bit + R"(<bit block="7" value="false"/>)")},
      {"a block twice", in_array(R"(<era block="3" era="1"/><era block="3" era="2"/>)")},
      {"a block in two arrays", whole(set + array + array)},
      {"a block of an era above the current one", in_array(R"(<era block="3" era="6"/>)")},
      {"a writeset of an era above the current one",
       whole(R"(<writeset era="6" nr_bits="100"></writeset>)")},
      {"a block size of 0",
       R"(<superblock uuid="" block_size="0" nr_blocks="9" current_era="5"/>)"},
      {"a block size of 12",
       R"(<superblock uuid="" block_size="12" nr_blocks="9" current_era="5"/>)"},
      {"a bit in the array", in_array(good_bit)},
      {"an array in an array", in_array(array)},
      {"a writeset in the array", in_array(set)},
      {"an array in a writeset", in_set(array)},
      {"a bit in a bit",
       in_set(R"(<bit block="7" value="true"><bit block="8" value="true"/></bit>)")},
      {"an entity",
       R"(<!DOCTYPE superblock [<!ENTITY e "7">]>)" + in_set(R"(<bit block="&e;" value="true"/>)")},
      {"an unused entity", R"(<!DOCTYPE superblock [<!ENTITY e "7">]>)" + whole(set + array)},
      {"an entity declared elsewhere",
       R"(<!DOCTYPE superblock SYSTEM "era.dtd">)" + in_set(R"(<bit block="7&e;" value="true"/>)")},
  };
  return cases;
}

words expected_of(const restore_case& tried) {
  subject about;
  about.name = tried.what;
  return peer::expected_deviations(about, {command::restore});
}

void check_case(const bench& bench, const restore_case& tried) {
  const auto expected = expected_of(tried);
  const bool peer_accepts = tried.meaning.has_value() == expected.empty();
  const auto done = restore(bench, tried.xml, 1 << 20);
  INFO(tried.what << ": " << done.us.err << done.peer.err);
  CHECK((done.us.status == 0) == tried.meaning.has_value());
  INFO("deviations listed: " << joined(expected));
  CHECK((done.peer.status == 0) == peer_accepts);
  if (tried.meaning) {
    CHECK(difference(fixtures::dump(bench.by_us), tried.meaning->xml()) == "");
  }
  if (tried.meaning && peer_accepts) {
    CHECK(difference(fixtures::dump(bench.by_peer), tried.meaning->xml()) == "");
  }
}

// Documents of which the peer's own restore makes what the peer cannot read, and the like.
const document no_blocks = {128, 0, 0, {}, {}};
const document no_bits = {128, 100, 5, {{4, 0, {}}, {5, 100, {7}}}, {{3, 2}}};
const document longer = {128, 100, 5, {{4, 300, {7, 99, 100, 299}}, {5, 100, {8}}}, {{3, 2}}};

// A question that shows a deviation and no other.
struct witness {
  std::string id;
  subject about;
  question asked;
};

std::vector<witness> witnesses() {
  const auto image = [](const std::string& name) {
    return peer::subject_of(harness::image_named(name));
  };
  return {{"open-era", image("fresh_power_cut"), {command::dump}},
          {"oldest-era", image("undigested_remove"), {command::logical_dump}},
          {"live-for-snapshot", image("snap_held"), {command::invalidate_snapshot, 4}},
          {"past-the-end", peer::subject_of(longer, "longer"), {command::invalidate, 4}},
          {"stale-block", image("shrunk_gap"), {command::check}},
          {"no-blocks", peer::subject_of(no_blocks, "no blocks"), {command::check}},
          {"no-bits", peer::subject_of(no_bits, "no bits"), {command::check}}};
}

// Asks all that can be asked about a document, restored by both.
void check_document(const bench& bench, const document& made, const std::string& name) {
  const auto about = peer::subject_of(made, name);
  INFO(name);
  const auto done = restore(bench, made.compact_xml(), 1 << 20);
  check_restored(bench, done, about, made.xml());
  for (const auto& path : {bench.by_us, bench.by_peer}) {
    ask(path, about, {{command::check}, {command::dump}, {command::logical_dump}});
    ask(path, about, at_eras(command::invalidate, about.live));
  }
}

}  // namespace

TEST_CASE("every image: the peer answers the same, but for the deviations listed", "[peer]") {
  if (!peer_is_0_9_0()) {
    return;
  }
  std::vector<words> table = {
      {"image", "check", "dump", "dump --logical", "invalidate", "invalidate --metadata-snapshot"}};
  const bench bench;
  for (const auto& image : harness::some_images()) {
    table.push_back(table_row(bench, image));
  }
  harness::print_table(table);
  for (const auto& deviation : peer::deviations()) {
    std::printf("%s = %s\n", deviation.id.c_str(), deviation.reason.c_str());
  }
  std::fflush(stdout);
}

TEST_CASE("every deviation of the list is shown by itself", "[peer]") {
  std::set<std::string> listed;
  for (const auto& deviation : peer::deviations()) {
    CHECK(listed.insert(deviation.id).second);
  }
  std::set<std::string> shown;
  for (const auto& witness : witnesses()) {
    INFO(witness.about.name);
    CHECK(peer::expected_deviations(witness.about, witness.asked) == words{witness.id});
    shown.insert(witness.id);
  }
  // The tests of restores hold these against the tools.
  for (const auto& cases : {good_cases(), bad_cases()}) {
    for (const auto& tried : cases) {
      const auto ids = expected_of(tried);
      CHECK(ids.size() <= 1);
      shown.insert(ids.begin(), ids.end());
    }
  }
  CHECK(shown == listed);
}

TEST_CASE("the peer restores what we dump, and reads what we restore", "[peer]") {
  if (!peer_is_here()) {
    return;
  }
  const bench bench;
  for (const auto& image : harness::some_images()) {
    const auto about = peer::restored(peer::subject_of(image));
    if (about.live.nr_blocks > 1000000) {
      continue;  // most of a minute by itself; see the next test
    }
    INFO(about.name);
    image.unpack(bench.metadata);
    const auto whole_dump = fixtures::dump(bench.metadata);
    const auto last = about.live.current_era;
    for (const bool compact : {false, true}) {
      INFO((compact ? "compact" : "plain"));
      if (is_large(about) && !compact) {
        continue;  // seconds for the same metadata
      }
      const auto xml = compact ? fixtures::dump(bench.metadata, {"--compact"}) : whole_dump;
      check_restored(bench, restore(bench, xml, image.metadata_bytes), about, whole_dump);
      ask(bench.by_us, about,
          {{command::check},
           {command::dump},
           {command::logical_dump},
           {command::invalidate, last / 2 + 1},
           {command::invalidate, last}});
    }
  }
}

TEST_CASE("the peer restores a compact dump of two million blocks", "[peer]") {
  if (!peer_is_here()) {
    return;
  }
  const bench bench;
  const auto& image = harness::image_named("two_million");
  const auto about = peer::restored(peer::subject_of(image));
  image.unpack(bench.metadata);
  const auto done =
      restore(bench, fixtures::dump(bench.metadata, {"--compact"}), image.metadata_bytes);
  CHECK(done.us.status == 0);
  CHECK(done.peer.status == 0);
  const auto whole_dump = fixtures::dump(bench.metadata);
  CHECK(difference(fixtures::dump(bench.by_us), whole_dump) == "");
  CHECK(difference(fixtures::dump(bench.by_peer), whole_dump) == "");
  ask(bench.by_us, about, {{command::check}, {command::invalidate, 3}});
  ask(bench.by_peer, about, {{command::check}});
}

TEST_CASE("random documents: both restore them, and read both restores alike", "[peer]") {
  if (!peer_is_here()) {
    return;
  }
  constexpr std::uint32_t documents = 16;
  const bench bench;
  for (std::uint32_t seed = 1; seed <= documents; ++seed) {
    std::mt19937 random(seed);
    const auto made = random_document(random);
    const auto about = peer::subject_of(made, "seed " + std::to_string(seed));
    INFO(about.name);
    const auto xml = below(random, 2) == 0 ? made.xml() : made.compact_xml();
    check_restored(bench, restore(bench, xml, 1 << 20), about, made.xml());
    ask(bench.by_us, about, questions_about(random, made));
    ask(bench.by_peer, about,
        {{command::check}, {command::logical_dump}, {command::invalidate, made.current_era}});
  }
}

TEST_CASE("documents at the edge: both restore them, we read all of them", "[peer]") {
  if (!peer_is_0_9_0()) {
    return;
  }
  const bench bench;
  check_document(bench, no_blocks, "no blocks");
  check_document(bench, no_bits, "no bits");
  check_document(bench, longer, "a writeset longer than the device");
  check_document(bench, fixtures::example(), "the example of the format");
}

TEST_CASE("we restore every form of XML that the peer does", "[peer]") {
  if (!peer_is_0_9_0()) {
    return;
  }
  const bench bench;
  for (const auto& tried : good_cases()) {
    check_case(bench, tried);
  }
}

TEST_CASE("we refuse to restore what the peer refuses", "[peer]") {
  if (!peer_is_0_9_0()) {
    return;
  }
  const bench bench;
  for (const auto& tried : bad_cases()) {
    check_case(bench, tried);
  }
}

TEST_CASE("after a power cut the peer misses the blocks of the open era, and we do not", "[peer]") {
  if (!peer_is_0_9_0()) {
    return;
  }
  const bench bench;
  const auto& image = harness::image_named("power_cut");
  image.unpack(bench.metadata);
  REQUIRE(image.current_writeset_open);
  const auto era = image.live.current_era;

  const auto invalidate = arguments_of({command::invalidate, era}, bench.metadata);
  CHECK(run_ours(invalidate).out == image.live.invalidate_xml(era));
  CHECK(run_ours(invalidate).out != "<blocks>\n</blocks>\n");
  CHECK(run_peers(invalidate).out == "<blocks>\n</blocks>\n");

  const auto dump = arguments_of({command::dump}, bench.metadata);
  const auto ours = run_ours(dump).out;
  const auto last = ours.find("  <writeset era=\"" + std::to_string(era) + "\" ");
  const auto array_begin = ours.find("  <era_array>");
  REQUIRE(last < array_begin);
  CHECK(harness::parse_dump(ours).fold() == image.live.eras());
  const auto without_open_era = ours.substr(0, last) + ours.substr(array_begin);
  CHECK(difference(run_peers(dump).out, without_open_era) == "");
}

TEST_CASE(
    "where writesets overlap our era_dump --logical has the newest era, the peer's the oldest",
    "[peer]") {
  if (!peer_is_0_9_0()) {
    return;
  }
  const bench bench;
  for (const std::string name : {"power_cut", "undigested_remove"}) {
    INFO(name);
    const auto& image = harness::image_named(name);
    const auto about = peer::subject_of(image);
    image.unpack(bench.metadata);
    const auto logical = arguments_of({command::logical_dump}, bench.metadata);
    const auto ours = harness::parse_dump(run_ours(logical).out).era_array;
    const auto peers = harness::parse_dump(run_peers(logical).out).era_array;
    CHECK((ours == image.live.eras()));
    CHECK((peers == peer::peer_eras(about.held)));
    CHECK((peers != ours));
  }
}

TEST_CASE("the peer's --metadata-snapshot answers for the live metadata, ours for the snapshot",
          "[peer]") {
  if (!peer_is_0_9_0()) {
    return;
  }
  const bench bench;
  const auto& image = harness::image_named("snap_held");
  image.unpack(bench.metadata);
  for (std::uint32_t era = 0; era <= image.snapshot->current_era; ++era) {
    const auto of_snapshot = arguments_of({command::invalidate_snapshot, era}, bench.metadata);
    CHECK(run_ours(of_snapshot).out == image.snapshot->invalidate_xml(era));
    CHECK(run_peers(of_snapshot).out == image.live.invalidate_xml(era));
  }
}
