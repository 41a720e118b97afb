#include "sockets/read.h"

#include <linux/netlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "error.h"
#include "namespaces/run.h"
#include "netlink/answer.h"
#include "processes/cgroups.h"
#include "sockets/diag.h"
#include "sockets/filter.h"
#include "sockets/interfaces.h"
#include "sockets/procfs.h"

namespace earshot::sockets {
namespace {

constexpr TableName kTcp4{IPPROTO_TCP, 4};
constexpr TableName kTcp6{IPPROTO_TCP, 6};
constexpr TableName kTables[] = {kTcp4, kTcp6, {IPPROTO_UDP, 4}, {IPPROTO_UDP, 6}};

uint32_t statesOf(const Query& query, TableName name) {
  return name.protocol == IPPROTO_TCP ? query.tcpStates : query.udpStates;
}

bool isWanted(const Query& query, TableName name) {
  if (statesOf(query, name) == 0) return false;
  if (name.family == 6) return query.ipv6;
  // No IPv4 socket has an IPv6 address; the other way round there are the mapped ones.
  return query.ipv4 && !(query.local && query.local->family == 6) &&
         !(query.remote && query.remote->family == 6);
}

/** The filter, or nothing when no socket can match since the device does not exist. */
std::optional<Filter> filterOf(const Query& query, const Interfaces& interfaces) {
  if (!query.boundInterface) return Filter(query, std::nullopt);
  const uint32_t index = interfaces.indexOf(*query.boundInterface);
  if (index == 0) return std::nullopt;
  return Filter(query, index);
}

/** Does the error say that there is no sock_diag for us here: not in this kernel, or not allowed?
 */
bool isUnavailable(int code) {
  switch (code) {
    case ENOENT:           // the protocol's module is not loaded and cannot be
    case EPROTONOSUPPORT:  // no NETLINK_SOCK_DIAG
    case EAFNOSUPPORT:     // no netlink, or a seccomp filter says so
    case EPERM:
    case EACCES:
    case EINVAL:  // before SOCK_DIAG_BY_FAMILY
    case EOPNOTSUPP:
    case ENOSYS:
    case ECONNREFUSED:  // nobody listens to the protocol in the kernel
      return true;
    default:
      return false;
  }
}

InterfaceList readInterfaces(Source source) {
  if (source == Source::kProcfs) return readInterfacesByProcfs();
  try {
    return readInterfacesByNetlink();
  } catch (const Failure& failure) {
    if (source == Source::kNetlink || !isUnavailable(failure.code)) throw;
    return readInterfacesByProcfs();
  }
}

bool hasState(uint32_t states, uint8_t state) { return state < 32 && (states >> state & 1) != 0; }

/** Rows that match go into the table. */
class RowSink : public netlink::Sink {
 public:
  RowSink(Table& table, const Filter& filter, uint8_t protocol, uint32_t states)
      : table_(table),
        filter_(filter),
        protocol_(protocol),
        states_(states),
        start_(table.length()) {}

  void begin() override { table_.truncate(start_); }

  void message(const netlink::Message& message) override {
    diag::decode(message, protocol_, row_);
    if (hasState(states_, row_.state) && filter_.matches(row_)) table_.append(row_);
  }

 private:
  Table& table_;
  const Filter& filter_;
  const uint8_t protocol_;
  const uint32_t states_;
  const size_t start_;
  Row row_;
};

/** Reads table by table, from where the query says. */
class Reader {
 public:
  Reader(const Query& query, const Filter& filter, Table& table)
      : query_(query), filter_(filter), table_(table) {}

  /** All tables that are wanted. */
  void read() {
    const bool bothTcp = isWanted(query_, kTcp4) && isWanted(query_, kTcp6);
    const bool together = bothTcp && query_.source != Source::kProcfs && readTcpTogether();
    for (const TableName name : kTables) {
      if (!isWanted(query_, name) || (together && name.protocol == IPPROTO_TCP)) continue;
      try {
        readTable(name);
      } catch (Failure& failure) {
        // What is malformed here came from the kernel, not from the caller.
        if (failure.operation == Operation::kDecode) failure.operation = Operation::kKernel;
        throw;
      }
    }
  }

 private:
  /** False where it cannot be done, for whatever reason: table by table the reason is told. */
  bool readTcpTogether() {
    return !readNetlink(IPPROTO_TCP, [&](netlink::Sink& sink) {
      return diag::dumpTcp(*socket_, query_.tcpStates, query_.keyedPeers, filter_, sink);
    });
  }

  void readTable(TableName name) {
    if (query_.source == Source::kProcfs) return readProcfs(name);
    const auto failure = readNetlink(name.protocol, [&](netlink::Sink& sink) {
      return diag::dump(*socket_, name, statesOf(query_, name), query_.keyedPeers, filter_, sink);
    });
    if (!failure) return;
    if (failure->code == ENOENT && name.family == 6 && procfs::lacksIpv6()) return;
    if (query_.source == Source::kAuto && isUnavailable(failure->code)) return readProcfs(name);
    throw *failure;
  }

  /** Reads what `dump` asks for, or says why not and leaves none of it behind. */
  std::optional<Failure> readNetlink(uint8_t protocol, auto dump) {
    const size_t start = table_.length();
    const uint32_t states = protocol == IPPROTO_TCP ? query_.tcpStates : query_.udpStates;
    try {
      if (!socket_) socket_.emplace(NETLINK_SOCK_DIAG);
      RowSink sink(table_, filter_, protocol, states);
      const std::optional<netlink::Refusal> refusal = dump(sink);
      if (!refusal) return std::nullopt;
      return Failure{Operation::kKernel, socket_->name(), refusal->code,
                     refusal->detail.empty() ? "reading the sockets; /proc/net may still tell them"
                                             : refusal->detail};
    } catch (const Failure& failure) {
      table_.truncate(start);
      socket_.reset();
      return failure;
    }
  }

  void readProcfs(TableName name) {
    const uint32_t states = statesOf(query_, name);
    procfs::read(name, [&](const Row& row) {
      if (hasState(states, row.state) && filter_.matches(row)) table_.append(row);
    });
  }

  const Query& query_;
  const Filter& filter_;
  Table& table_;
  std::optional<netlink::Socket> socket_;
};

std::vector<uint64_t> cgroupsOf(Table& table) {
  std::vector<uint64_t> ids;
  std::unordered_set<uint64_t> seen;
  uint64_t last = 0;
  const uint64_t* column = table.column<Table::Cgroup>();
  for (size_t row = 0; row < table.length(); row++) {
    // Neighbours mostly share theirs.
    if (column[row] == last) continue;
    last = column[row];
    if (last != 0 && seen.insert(last).second) ids.push_back(last);
  }
  return ids;
}

}  // namespace

Reading read(const Query& query) {
  Reading reading;
  namespaces::run(query.netns, [&] {
    Interfaces interfaces(readInterfaces(query.source));
    Table& table = reading.table;
    if (const auto filter = filterOf(query, interfaces)) {
      Reader(query, *filter, table).read();
    }
    for (size_t row = 0; row < table.length(); row++) {
      table.column<Table::InterfaceSet>()[row] = interfaces.setOf(
          table.column<Table::Family>()[row], table.column<Table::LocalAddress>()[row],
          table.column<Table::BoundInterface>()[row]);
    }
    reading.interfaceSets = interfaces.sets();
    reading.interfaceNames = interfaces.names();
  });
  reading.cgroups = processes::cgroupPaths(cgroupsOf(reading.table));
  reading.table.pack();
  return reading;
}

std::vector<Recording> record(const Query& query) {
  std::vector<Recording> recordings;
  namespaces::run(query.netns, [&] {
    const auto filter = filterOf(query, Interfaces(readInterfacesByNetlink()));
    if (!filter) return;
    netlink::Socket socket(NETLINK_SOCK_DIAG);
    for (const TableName name : kTables) {
      if (!isWanted(query, name)) continue;
      netlink::Recorder recorder;
      const auto refusal =
          diag::dump(socket, name, statesOf(query, name), query.keyedPeers, *filter, recorder);
      if (refusal) {
        throw Failure{Operation::kKernel, socket.name(), refusal->code, refusal->detail};
      }
      recordings.push_back({name, std::move(recorder.bytes)});
    }
  });
  return recordings;
}

}  // namespace earshot::sockets
