#include "cache/mapping_xml.h"

#include "base/xml_document.h"

namespace cache {
namespace {

class handler final : public base::xml_handler {
 public:
  explicit handler(mapping_sink& sink) : sink_(sink) {}

  void start(const base::xml_element& element) override {
    switch (inside_) {
      case inside::nothing:
        start_superblock(element);
        return;
      case inside::superblock:
        start_part(element);
        return;
      case inside::mappings:
        start_mapping(element);
        return;
      case inside::ignored:
        // Hints of the policy and discards: they say nothing of what a cache block holds.
        if (element.name() != ignored_) {
          refuse_element(element, "<" + std::string(ignored_) + ">");
        }
        element.require_known({"cache_block", "data", "dbegin", "dend"});
        break;
      case inside::leaf:
        refuse_element(element, "the end of the one before");
    }
    parent_of_leaf_ = inside_;
    inside_ = inside::leaf;
  }

  void end() override {
    switch (inside_) {
      case inside::leaf:
        inside_ = parent_of_leaf_;
        return;
      case inside::mappings:
      case inside::ignored:
        inside_ = inside::superblock;
        return;
      case inside::superblock:
        if (!had_mappings_) {
          throw base::data_error("there is no <mappings>");
        }
        inside_ = inside::nothing;
        return;
      case inside::nothing:
        return;
    }
  }

 private:
  enum class inside { nothing, superblock, mappings, ignored, leaf };

  void start_superblock(const base::xml_element& element) {
    if (element.name() != "superblock") {
      refuse_element(element, "<superblock> of a cache");
    }
    element.require_known({"uuid", "block_size", "nr_cache_blocks", "policy", "hint_width"});
    const auto block_size = static_cast<std::uint32_t>(element.number("block_size", UINT32_MAX));
    if (block_size == 0 || block_size % block_size_unit != 0) {
      throw base::data_error("block_size " + std::to_string(block_size) +
                             " is not a positive multiple of " + std::to_string(block_size_unit) +
                             " sectors");
    }
    nr_blocks_ = static_cast<std::uint32_t>(element.number("nr_cache_blocks", max_cache_blocks));
    sink_.begin({block_size, nr_blocks_, false});
    inside_ = inside::superblock;
  }

  void start_part(const base::xml_element& element) {
    element.require_known({});
    if (element.name() == "mappings" && !had_mappings_) {
      had_mappings_ = true;
      inside_ = inside::mappings;
    } else if (element.name() == "hints" || element.name() == "discards") {
      ignored_ = element.name() == "hints" ? "hint" : "discard";
      inside_ = inside::ignored;
    } else {
      refuse_element(element, had_mappings_ ? "<hints>" : "<mappings>");
    }
  }

  void start_mapping(const base::xml_element& element) {
    if (element.name() != "mapping") {
      refuse_element(element, "<mapping>");
    }
    element.require_known({"cache_block", "origin_block", "dirty"});
    const auto cache_block =
        static_cast<std::uint32_t>(element.number("cache_block", max_cache_blocks));
    if (cache_block >= nr_blocks_) {
      throw base::data_error("cache block " + std::to_string(cache_block) +
                             " of a cache with nr_cache_blocks " + std::to_string(nr_blocks_));
    }
    const std::uint64_t origin_block = element.number("origin_block", max_origin_block);
    static_cast<void>(element.boolean("dirty"));
    const mapping found{cache_block, origin_block, true};
    sink_.add({&found, 1});
    parent_of_leaf_ = inside_;
    inside_ = inside::leaf;
  }

  mapping_sink& sink_;
  inside inside_ = inside::nothing;
  inside parent_of_leaf_ = inside::nothing;
  const char* ignored_ = "";
  bool had_mappings_ = false;
  std::uint32_t nr_blocks_ = 0;
};

}  // namespace

void read_mapping_xml(base::text_pieces& from, mapping_sink& sink) {
  handler heard(sink);
  base::read_xml_document(from, heard);
}

}  // namespace cache
