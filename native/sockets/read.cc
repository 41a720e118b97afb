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
#include "sockets/interfaces_current.h"
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

/** The one TCP connection that is asked for, if it is one: all four of its ends are given. */
std::optional<diag::Connection> connectionOf(const Query& query) {
  const auto onlyPort = [](const std::vector<PortRange>& ranges) {
    const bool one = ranges.size() == 1 && ranges[0].from == ranges[0].to && ranges[0].from != 0;
    return one ? std::optional(ranges[0].from) : std::nullopt;
  };
  const auto isAddress = [](const std::optional<Prefix>& prefix) {
    return prefix && prefix->length == (prefix->family == 4 ? 32 : 128);
  };
  const auto localPort = onlyPort(query.localPorts);
  const auto remotePort = onlyPort(query.remotePorts);
  if (query.tcpStates == 0 || query.udpStates != 0 || !localPort || !remotePort ||
      !isAddress(query.local) || !isAddress(query.remote) ||
      query.local->family != query.remote->family) {
    return std::nullopt;
  }
  return diag::Connection{query.local->family, query.local->address, *localPort,
                          query.remote->address, *remotePort};
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

InterfaceList readInterfaces(const Query& query) {
  if (query.source == Source::kProcfs) return readInterfacesByProcfs();
  try {
    // What is kept is of this process's own namespace, which is asked about most.
    return query.netns ? readInterfacesByNetlink() : currentInterfaces();
  } catch (const Failure& failure) {
    if (query.source == Source::kNetlink || !isUnavailable(failure.code)) throw;
    return readInterfacesByProcfs();
  }
}

bool hasState(uint32_t states, uint8_t state) { return state < 32 && (states >> state & 1) != 0; }

/** Rows that match go into the table. */
class RowSink : public netlink::Sink {
 public:
  RowSink(Table& table, const Filter& filter, const Query& query, uint8_t protocol)
      : table_(table),
        filter_(filter),
        query_(query),
        protocol_(protocol),
        start_(table.length()) {}

  void begin() override { table_.truncate(start_); }

  void message(const netlink::Message& message) override {
    diag::decode(message, protocol_, row_);
    const bool isWanted = (row_.family == 4 ? query_.ipv4 : query_.ipv6) &&
                          hasState(statesOf(query_, {protocol_, row_.family}), row_.state);
    if (isWanted && filter_.matches(row_)) table_.append(row_);
  }

 private:
  Table& table_;
  const Filter& filter_;
  const Query& query_;
  const uint8_t protocol_;
  const size_t start_;
  Row row_;
};

/** Reads table by table, from where the query says. */
class Reader {
 public:
  Reader(const Query& query, const Filter& filter, const Interfaces& interfaces, Table& table)
      : query_(query), filter_(filter), interfaces_(interfaces), table_(table) {}

  /** All tables that are wanted. */
  void read() {
    if (const auto connection = connectionOf(query_); connection && lookUp(*connection)) return;
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
  /**
   * Asks for one connection instead of dumping all, in the scope of every device, since a socket
   * that is bound to one is in no other's. False where it cannot be done, for whatever reason.
   */
  bool lookUp(const diag::Connection& connection) {
    if (query_.source == Source::kProcfs) return false;
    const size_t start = table_.length();
    const auto ask = [&](uint32_t device) {
      const size_t before = table_.length();
      const auto failure = readNetlink(IPPROTO_TCP, [&](netlink::Sink& sink) {
        return diag::lookUp(*socket_, connection, device, query_.keyedPeers, sink);
      });
      // One that is bound to no device is found in the scope of each.
      const uint64_t* cookies = table_.column<Table::Cookie>();
      if (table_.length() > before &&
          std::find(cookies + start, cookies + before, cookies[before]) != cookies + before) {
        table_.truncate(before);
      }
      return !failure || failure->code == ENOENT;
    };
    bool asked = ask(0);
    for (const auto& [index, name] : interfaces_.names()) asked = asked && ask(index);
    // ENOENT is also the answer of a kernel that cannot tell at all: of no state it tells nothing.
    if (asked && table_.length() == start) {
      asked = !readNetlink(IPPROTO_TCP, [&](netlink::Sink& sink) {
        return diag::dumpTcp(*socket_, 0, false, Filter({}, std::nullopt), sink);
      });
    }
    if (!asked) table_.truncate(start);
    return asked;
  }

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
    try {
      if (!socket_) socket_.emplace(NETLINK_SOCK_DIAG);
      RowSink sink(table_, filter_, query_, protocol);
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
  const Interfaces& interfaces_;
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
    Interfaces interfaces(readInterfaces(query));
    Table& table = reading.table;
    if (const auto filter = filterOf(query, interfaces)) {
      Reader(query, *filter, interfaces, table).read();
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
