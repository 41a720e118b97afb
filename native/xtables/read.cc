#include "xtables/read.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "descriptor.h"
#include "error.h"
#include "namespaces/run.h"

namespace earshot::xtables {
namespace {

/*
 * From linux/netfilter_ipv4/ip_tables.h and its IPv6 twin, in which both are the same. These
 * headers bring linux/in.h, which no C library but glibc bears beside its own.
 */
constexpr int kGetInfo = 64;        // IPT_SO_GET_INFO
constexpr int kGetEntries = 65;     // IPT_SO_GET_ENTRIES
constexpr size_t kNameLength = 32;  // XT_TABLE_MAXNAMELEN
constexpr size_t kHooks = 5;        // NF_INET_NUMHOOKS

/** struct ipt_getinfo */
struct TableInfo {
  char name[kNameLength];
  uint32_t validHooks;
  uint32_t hookEntry[kHooks];
  uint32_t underflow[kHooks];
  uint32_t entryCount;
  uint32_t size;
};

/** struct ipt_get_entries: the entries hold counters of 64 bits, and are aligned as these. */
struct TableEntries {
  char name[kNameLength];
  uint32_t size;
  uint64_t entries;
};

/** The name and the size of what follows. */
constexpr size_t kHeader = offsetof(TableEntries, entries);

/** How often a table that is exchanged between the two questions is asked for again. */
constexpr int kTries = 8;

int ask(int socket, int level, int option, std::vector<uint8_t>& answer) {
  auto length = static_cast<socklen_t>(answer.size());
  if (getsockopt(socket, level, option, answer.data(), &length) != 0) return errno;
  answer.resize(length);
  return 0;
}

/** do_ipt_get_ctl: first how large the table is, then the table, which must still be so large. */
int readTable(int socket, int level, const std::string& name, Table& out) {
  // A name with a NUL in it would be read as its front part, which might make a table.
  const bool isName = !name.empty() && name.size() < kNameLength && name.find('\0') == name.npos;
  if (!isName) return ENOENT;
  int error = EAGAIN;
  for (int tried = 0; tried < kTries && error == EAGAIN; tried++) {
    std::vector<uint8_t> info(sizeof(TableInfo));
    std::memcpy(info.data(), name.data(), name.size());
    if ((error = ask(socket, level, kGetInfo, info)) != 0) break;
    TableInfo told;
    if (info.size() != sizeof told) return EBADMSG;
    std::memcpy(&told, info.data(), sizeof told);
    std::vector<uint8_t> entries(kHeader + told.size);
    std::memcpy(entries.data(), name.data(), name.size());
    std::memcpy(entries.data() + offsetof(TableEntries, size), &told.size, sizeof told.size);
    if ((error = ask(socket, level, kGetEntries, entries)) != 0) continue;
    if (entries.size() < kHeader) return EBADMSG;
    entries.erase(entries.begin(), entries.begin() + kHeader);
    out = {std::move(info), std::move(entries)};
  }
  return error;
}

}  // namespace

std::vector<std::variant<Table, int>> readTables(const Query& query) {
  std::vector<std::variant<Table, int>> tables;
  tables.reserve(query.tables.size());
  namespaces::run(query.netns, [&] {
    const Descriptor asked(
        socket(query.ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!asked) throwErrno("socket", "opening a socket to ask for iptables rules");
    const int level = query.ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
    for (const std::string& name : query.tables) {
      Table table;
      if (const int error = readTable(asked.get(), level, name, table)) {
        tables.emplace_back(error);
      } else {
        tables.emplace_back(std::move(table));
      }
    }
  });
  return tables;
}

}  // namespace earshot::xtables
