#include "sockets/reader.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "error.h"
#include "netlink/beside.h"
#include "signals.h"
#include "sockets/diag.h"
#include "sockets/procfs.h"

namespace earshot::sockets {
namespace {

constexpr TableName kTcp4{IPPROTO_TCP, 4};
constexpr uint8_t kTcpListen = 10;
constexpr TableName kTcp6{IPPROTO_TCP, 6};

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

bool hasState(uint32_t states, uint8_t state) { return state < 32 && (states >> state & 1) != 0; }

using OnRows = std::function<void()>;

void append(const Row& row, Table& table, const OnRows& onRows) {
  table.append(row);
  if (onRows && table.length() % kRowsAtOnce == 0) onRows();
}

/** Rows that match go into the table. */
class RowSink : public netlink::Sink {
 public:
  RowSink(Table& table, const Filter& filter, const Query& query, const OnRows& onRows,
          uint8_t protocol)
      : table_(table),
        filter_(filter),
        query_(query),
        onRows_(onRows),
        protocol_(protocol),
        start_(table.length()) {}

  void begin() override { table_.truncate(start_); }

  void message(const netlink::Message& message) override {
    diag::decode(message, protocol_, row_);
    const bool isWanted = (row_.family == 4 ? query_.ipv4 : query_.ipv6) &&
                          hasState(statesOf(query_, {protocol_, row_.family}), row_.state);
    if (!isWanted || !filter_.matches(row_)) return;
    append(row_, table_, onRows_);
    if (query_.keepsMessages) table_.keep(message.payload);
  }

 private:
  Table& table_;
  const Filter& filter_;
  const Query& query_;
  const OnRows& onRows_;
  const uint8_t protocol_;
  const size_t start_;
  Row row_;
};

/** Takes the sockets that a look-up in the scope of a device finds, if it is bound to that. */
class FoundSink : public RowSink {
 public:
  FoundSink(RowSink sink, uint32_t device, bool alone)
      : RowSink(sink), device_(device), alone_(alone) {}

  void message(const netlink::Message& message) override {
    Row row;
    diag::decode(message, IPPROTO_TCP, row);
    if (row.state == kTcpListen) return;  // it would take the connection's first packet
    if (row.boundInterface != device_ || (device_ == 0 && !alone_))
      mayHide_ = true;
    else
      RowSink::message(message);
  }

  /** Has one been found in whose place there may be another? */
  bool mayHide() const { return mayHide_; }

 private:
  const uint32_t device_;
  /** Nobody asks for those of another device. */
  const bool alone_;
  bool mayHide_ = false;
};

/** How many TCP sockets there were when somebody last asked for most of them. */
std::atomic<size_t> tcpSocketsLastTime = 0;

/** To ask twice for so many costs less than to wait for all of them. */
constexpr size_t kWorthHalving = 16'384;

/**
 * Is it a question whose answer is about as long as the kernel's table? Rows are all that is told:
 * nothing here is checked, and what stands beside rows comes by extensions alone.
 */
bool asksForMost(const Query& query, const Filter& filter) {
  constexpr uint32_t kEstablished = 1u << 1;
  return (query.tcpStates & kEstablished) != 0 && filter.program().empty() && !query.uid &&
         query.extensions == 0 && !query.keepsMessages;
}

}  // namespace

const TableName kTables[4] = {kTcp4, kTcp6, {IPPROTO_UDP, 4}, {IPPROTO_UDP, 6}};

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

std::optional<Filter> filterOf(const Query& query, const Interfaces& interfaces) {
  if (!query.boundInterface) return Filter(query, std::nullopt);
  if (query.boundInterface->empty()) return Filter(query, 0);
  const uint32_t index = interfaces.indexOf(*query.boundInterface);
  if (index == 0) return std::nullopt;
  return Filter(query, index);
}

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

Reader::~Reader() {
  // What was not read to its end has been closed where it failed.
  if (shared_ && socket_) leaveSocket(*shared_, std::move(*socket_));
}

void Reader::read(const Filter& filter, const Interfaces& interfaces, Table& table) {
  if (lookUp(filter, interfaces, table)) return;
  const bool bothTcp = isWanted(query_, kTcp4) && isWanted(query_, kTcp6);
  const bool together =
      bothTcp && query_.source != Source::kProcfs &&
      ((isWorthHalving(filter) && readTcpByHalves(table)) || readTcpTogether(filter, table));
  for (const TableName name : kTables) {
    if (!isWanted(query_, name) || (together && name.protocol == IPPROTO_TCP)) continue;
    try {
      readTable(name, filter, table);
    } catch (Failure& failure) {
      // What is malformed here came from the kernel, not from the caller.
      if (failure.operation == Operation::kDecode) failure.operation = Operation::kKernel;
      throw;
    }
  }
}

/**
 * Asks for one connection instead of dumping all, in the scope of every device that it may be bound
 * to, since a socket that is bound to one is in no other's. False where it cannot be done, for
 * whatever reason; and where there is one that is bound to none and such a one was not asked for
 * alone: made later, it stands before those that are bound and have the same ends, and is found in
 * the place of each (__inet_lookup_established, inet_ehash_insert).
 */
bool Reader::lookUp(const Filter& filter, const Interfaces& interfaces, Table& table) {
  const auto connection = connectionOf(query_);
  if (!connection || query_.source == Source::kProcfs) return false;
  const size_t start = table.length();
  bool mayHide = false;
  const auto ask = [&](uint32_t device) {
    FoundSink sink(RowSink(table, filter, query_, onRows_, IPPROTO_TCP), device,
                   filter.boundIndex().has_value());
    const auto failure = converse(table, [&](netlink::Socket& socket) {
      return diag::lookUp(socket, *connection, device, query_.extensions, sink);
    });
    mayHide = mayHide || sink.mayHide();
    return !mayHide && (!failure || failure->code == ENOENT);
  };
  bool asked = ask(filter.boundIndex().value_or(0));
  if (!filter.boundIndex()) {
    for (const auto& [index, name] : interfaces.names()) asked = asked && ask(index);
  }
  // ENOENT is also the answer of a kernel that cannot tell at all: of no state it tells nothing.
  if (asked && table.length() == start) {
    RowSink sink(table, filter, query_, onRows_, IPPROTO_TCP);
    asked = !converse(table, [&](netlink::Socket& socket) {
      return diag::dumpTcp(socket, 0, 0, Filter({}, std::nullopt), sink);
    });
  }
  if (!asked) table.truncate(start);
  return asked;
}

bool Reader::find(const Filter& filter, const Table& table, size_t row, Table& found) {
  if (table.column<Table::Cookie>()[row] == 0) return true;
  const uint32_t device = table.column<Table::BoundInterface>()[row];
  const diag::Connection connection{
      table.column<Table::Family>()[row], table.column<Table::LocalAddress>()[row],
      table.column<Table::LocalPort>()[row], table.column<Table::RemoteAddress>()[row],
      table.column<Table::RemotePort>()[row]};
  const auto failure =
      readNetlink(IPPROTO_TCP, filter, found, [&](netlink::Socket& socket, netlink::Sink& sink) {
        return diag::lookUp(socket, connection, device, 0, sink,
                            table.column<Table::Cookie>()[row]);
      });
  if (device == 0 || !failure) return true;
  // ENOENT says both: none was found, and one with another cookie.
  Table other;
  FoundSink sink(RowSink(other, filter, query_, onRows_, IPPROTO_TCP), device, false);
  converse(other, [&](netlink::Socket& socket) {
    return diag::lookUp(socket, connection, device, 0, sink);
  });
  return !sink.mayHide();
}

/** False where it cannot be done, for whatever reason: table by table the reason is told. */
bool Reader::readTcpTogether(const Filter& filter, Table& table) {
  const size_t start = table.length();
  const auto failure =
      readNetlink(IPPROTO_TCP, filter, table, [&](netlink::Socket& socket, netlink::Sink& sink) {
        return diag::dumpTcp(socket, query_.tcpStates, query_.extensions, filter, sink);
      });
  if (!failure && asksForMost(query_, filter)) tcpSocketsLastTime = table.length() - start;
  return !failure;
}

bool Reader::isWorthHalving(const Filter& filter) const {
  // Whoever is told of rows is at work on them meanwhile.
  const unsigned threads = onRows_ ? 3 : 2;
  return mayHalve_ && asksForMost(query_, filter) && tcpSocketsLastTime >= kWorthHalving &&
         std::thread::hardware_concurrency() >= threads;
}

/** False, and nothing is left behind, where one half cannot be had, for whatever reason. */
bool Reader::readTcpByHalves(Table& table) {
  const size_t start = table.length();
  const auto readHalf = [&](Half half, netlink::Socket& socket, Table& into, const OnRows& onRows) {
    const Filter filter(half);
    RowSink sink(into, filter, query_, onRows, IPPROTO_TCP);
    return diag::dumpTcp(socket, query_.tcpStates, query_.extensions, filter, sink);
  };
  Table other;
  bool isWhole = false;
  std::thread thread;
  try {
    const SignalsBlocked blocked;
    thread = std::thread([&] {
      pthread_setname_np(pthread_self(), "earshot-netlink");
      try {
        netlink::Socket socket(NETLINK_SOCK_DIAG);
        isWhole = !readHalf(Half::kSecond, socket, other, nullptr);
      } catch (...) {
        // The other way of reading tells why.
      }
    });
  } catch (const std::system_error&) {
    return false;
  }
  std::optional<Failure> failure;
  std::exception_ptr thrown;
  try {
    failure = converse(table, [&](netlink::Socket& socket) {
      return readHalf(Half::kFirst, socket, table, onRows_);
    });
  } catch (...) {
    thrown = std::current_exception();
  }
  thread.join();
  if (thrown) std::rethrow_exception(thrown);
  if (failure || !isWhole) {
    table.truncate(start);
    return false;
  }
  for (size_t at = 0; at < other.length();) {
    // Up to where somebody is told of rows.
    const size_t left = other.length() - at;
    const size_t count =
        onRows_ ? std::min(left, kRowsAtOnce - table.length() % kRowsAtOnce) : left;
    table.append(other, at, count);
    at += count;
    if (onRows_ && table.length() % kRowsAtOnce == 0) onRows_();
  }
  tcpSocketsLastTime = table.length() - start;
  return true;
}

void Reader::readTable(TableName name, const Filter& filter, Table& table) {
  if (query_.source == Source::kProcfs) return readProcfs(name, filter, table);
  const auto failure =
      readNetlink(name.protocol, filter, table, [&](netlink::Socket& socket, netlink::Sink& sink) {
        return diag::dump(socket, name, statesOf(query_, name), query_.extensions, filter, sink);
      });
  if (!failure) return;
  if (failure->code == ENOENT && name.family == 6 && procfs::lacksIpv6()) return;
  if (query_.source == Source::kAuto && isUnavailable(failure->code)) {
    return readProcfs(name, filter, table);
  }
  throw *failure;
}

/** Reads what `dump` asks for, or says why not and leaves none of it behind. */
std::optional<Failure> Reader::readNetlink(uint8_t protocol, const Filter& filter, Table& table,
                                           auto dump) {
  RowSink sink(table, filter, query_, onRows_, protocol);
  return converse(table, [&](netlink::Socket& socket) {
    netlink::Beside beside(sink);
    auto refusal = dump(socket, beside);
    beside.finish();
    return refusal;
  });
}

std::optional<Failure> Reader::converse(Table& table, auto ask) {
  const size_t start = table.length();
  try {
    if (!socket_ && shared_) socket_.emplace(takeSocket(*shared_));
    if (!socket_) socket_.emplace(NETLINK_SOCK_DIAG);
    const std::optional<netlink::Refusal> refusal = ask(*socket_);
    if (!refusal) return std::nullopt;
    return Failure{Operation::kKernel, socket_->name(), refusal->code,
                   refusal->detail.empty() ? "reading the sockets; /proc/net may still tell them"
                                           : refusal->detail};
  } catch (const Failure& failure) {
    table.truncate(start);
    socket_.reset();
    return failure;
  } catch (...) {
    socket_.reset();
    throw;
  }
}

void Reader::readProcfs(TableName name, const Filter& filter, Table& table) {
  const uint32_t states = statesOf(query_, name);
  procfs::read(name, [&](const Row& row) {
    if (hasState(states, row.state) && filter.matches(row)) append(row, table, onRows_);
  });
}

}  // namespace earshot::sockets
