#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace earshot::xtables {

struct Query {
  /** IPv6's tables, or IPv4's. */
  bool ipv6;
  /** Only names that /proc/net/ip_tables_names or ip6_tables_names lists: the kernel makes others.
   */
  std::vector<std::string> tables;
  std::optional<std::string> netns;
};

/** A table as the kernel tells it. */
struct Table {
  /** struct ipt_getinfo or ip6t_getinfo. */
  std::vector<uint8_t> info;
  /** What stands behind the header of struct ipt_get_entries or ip6t_get_entries. */
  std::vector<uint8_t> entries;
};

/** Each table, or the error number it was refused with. */
std::vector<std::variant<Table, int>> readTables(const Query& query);

}  // namespace earshot::xtables
