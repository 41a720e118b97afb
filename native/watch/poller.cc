#include "watch/poller.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "error.h"
#include "watch/tuple.h"

namespace earshot::watch {
namespace {

using sockets::Table;

/** More changes than this in one batch would hold up the event loop that takes them. */
constexpr size_t kMostChanges = 64;

constexpr uint8_t kTcp = 6;
constexpr uint8_t kSynReceived = 3;
constexpr uint8_t kFinWait2 = 5;
constexpr uint8_t kTimeWait = 6;
constexpr uint8_t kListen = 10;
constexpr uint8_t kBound = 13;
constexpr uint32_t kWaitingStates = 1u << kListen | 1u << kBound;

sockets::Query waitingOf(sockets::Query query) {
  query.tcpStates &= kWaitingStates;
  return query;
}

sockets::Query connectedOf(sockets::Query query) {
  query.tcpStates &= ~kWaitingStates;
  query.udpStates = 0;
  return query;
}

/** Is it found by both its ends? Those that share a port are not. */
bool isConnection(const Table& table, size_t row) {
  const uint8_t state = table.column<Table::State>()[row];
  return table.column<Table::Protocol>()[row] == kTcp && state != kListen && state != kBound;
}

/** No more than a TIME-WAIT, which is FIN-WAIT-2 at first: the socket itself is another's cookie.
 */
bool isTimeWait(const Table& table, size_t row) {
  const uint8_t state = table.column<Table::State>()[row];
  return isConnection(table, row) && table.column<Table::Inode>()[row] == 0 &&
         (state == kTimeWait || state == kFinWait2);
}

/** No more than the request for a connection, which becomes a socket when the handshake is over. */
bool isRequest(const Table& table, size_t row) {
  return isConnection(table, row) && table.column<Table::State>()[row] == kSynReceived;
}

sockets::InterfaceList interfacesFor(const sockets::Query& query) {
  if (query.source == sockets::Source::kProcfs) return sockets::readInterfacesByProcfs();
  try {
    return sockets::readInterfacesByNetlink();
  } catch (const Failure& failure) {
    if (query.source == sockets::Source::kNetlink || !sockets::isUnavailable(failure.code)) throw;
    return sockets::readInterfacesByProcfs();
  }
}

}  // namespace

Poller::Poller(const Query& query)
    : query_(query),
      waitingQuery_(waitingOf(query.sockets)),
      connectedQuery_(connectedOf(query.sockets)),
      reader_(query_.sockets) {
  if (!query.fleeting) return;
  try {
    endings_.emplace(query_.sockets);
  } catch (const Failure&) {
    // A kernel before 4.3, or without netlink: polls tell all that can be told.
  }
}

void Poller::startWaiting() {
  interfaces_ = interfacesFor(query_.sockets);
  interfacesAreOld_ = false;
  const sockets::Interfaces interfaces(interfaces_);
  filter_ = sockets::filterOf(query_.sockets, interfaces);
  if (filter_) sockets::Reader(waitingQuery_).read(*filter_, interfaces, first_);
}

void Poller::startAll() {
  const sockets::Interfaces interfaces(interfaces_);
  if (filter_) sockets::Reader(connectedQuery_).read(*filter_, interfaces, first_);
  after_ = Indexed(std::exchange(first_, Table()));
  if (query_.existing) difference_ = differenceOf(before_, after_);
  if (endings_) {
    hear();
    endings_->start();
  }
}

Descriptors Poller::descriptors() const {
  return {endings_ ? endings_->get() : -1, heardOf_.routing(), heardOf_.firewall()};
}

void Poller::hear() {
  const uint32_t changed = heardOf_.changed();
  network_ |= changed;
  if (changed & (kInterfaces | kAddresses)) interfacesAreOld_ = true;
  if (endings_) {
    endings_->hear(filter_ ? &*filter_ : nullptr,
                   [&](uint64_t cookie) { return after_.index.find(cookie).has_value(); });
  }
}

Indexed Poller::read() {
  if (interfacesAreOld_) {
    interfacesAreOld_ = false;
    interfaces_ = interfacesFor(query_.sockets);
  }
  const sockets::Interfaces interfaces(interfaces_);
  filter_ = sockets::filterOf(query_.sockets, interfaces);
  Table table;
  if (filter_) reader_.read(*filter_, interfaces, table);
  return Indexed(std::move(table));
}

void Poller::poll() {
  // Before the look: whoever has ended by now has left its TIME-WAIT there.
  hear();
  if (endings_) {
    fleeting_ = endings_->take();
    missed_ = endings_->missed() || missed_;
  }
  Indexed now = read();
  keepThoseThere(now);
  before_ = std::exchange(after_, std::move(now));
  difference_ = differenceOf(before_, after_);
  told_ = 0;
  joinRequests();
  if (!endings_) return;
  for (const uint32_t row : difference_.opened) {
    if (isTimeWait(after_.table, row) || isRequest(after_.table, row)) {
      endings_->followed(after_.table, row);
    }
  }
  for (const uint32_t row : difference_.closed) {
    endings_->gone(before_.table.column<Table::Cookie>()[row]);
  }
  sortFleeting();
  endings_->polled();
}

/**
 * A dump goes on in a chain of sockets where it stopped by counting them (inet_diag_dump_icsk):
 * when one before that place goes meanwhile, another is passed over. So whoever is missing, and of
 * whose end nothing was heard, is asked for by name, and where that finds another by one more dump.
 */
void Poller::keepThoseThere(Indexed& now) {
  if (!filter_) return;
  const Table& table = after_.table;
  const size_t seen = now.table.length();
  std::vector<uint32_t> inDoubt;
  bool hidden = false;
  for (uint32_t row = 0; row < table.length(); row++) {
    if (now.index.find(identityOf(table, row)) || !after_.counts(row)) continue;
    if (endings_ && endings_->hasEnded(table.column<Table::Cookie>()[row])) continue;
    if (isConnection(table, row)) {
      if (reader_.find(*filter_, table, row, now.table)) continue;
      hidden = true;
    }
    inDoubt.push_back(row);
  }
  if (!inDoubt.empty()) {
    Table again;
    sockets::Reader(hidden ? query_.sockets : waitingQuery_)
        .read(*filter_, sockets::Interfaces(interfaces_), again);
    const Indexed second(std::move(again));
    for (const uint32_t row : inDoubt) {
      const auto there = second.index.find(identityOf(table, row));
      if (there) now.table.append(second.table, *there);
    }
  }
  if (now.table.length() > seen) now.index = RowIndex(now.table);
}

/**
 * A request that was looked at in the very moment in which it became a socket has got a cookie that
 * the socket has not (inet_csk_clone_lock copies it before): the two are one.
 */
void Poller::joinRequests() {
  std::map<Tuple, uint32_t> requests;
  for (const uint32_t row : difference_.closed) {
    if (isRequest(before_.table, row)) requests.emplace(tupleOf(before_.table, row), row);
  }
  if (requests.empty()) return;
  std::erase_if(difference_.opened, [&](uint32_t row) {
    const auto request = requests.find(tupleOf(after_.table, row));
    if (request == requests.end()) return false;
    std::erase(difference_.closed, request->second);
    difference_.changed.push_back({row, request->second});
    requests.erase(request);
    if (endings_) endings_->found(after_.table, row);
    return true;
  });
}

/** Leaves of those that ended between two polls those that no poll has seen in whatever form. */
void Poller::sortFleeting() {
  Table kept;
  for (size_t row = 0; row < fleeting_.length(); row++) {
    if (after_.index.find(identityOf(fleeting_, row))) {
      endings_->foundSame(fleeting_, row);
      continue;
    }
    if (endings_->hasFollower(fleeting_, row)) continue;
    kept.append(fleeting_, row);
  }
  fleeting_ = std::move(kept);
}

size_t Poller::total() const {
  return difference_.closed.size() + difference_.opened.size() + difference_.changed.size() +
         fleeting_.length();
}

void Poller::tell(Batch& batch) {
  batch.network = std::exchange(network_, 0);
  batch.missed = std::exchange(missed_, false);
  Table& rows = batch.sockets.table;
  size_t at = told_;
  const size_t end = std::min(total(), told_ + kMostChanges);
  // Calls `add` with the place of each change of a kind that is due now, and counts them.
  size_t first = 0;
  const auto each = [&](size_t count, auto add) {
    const size_t start = std::clamp(at, first, first + count) - first;
    const size_t stop = std::clamp(end, first, first + count) - first;
    for (size_t place = start; place < stop; place++) add(place);
    first += count;
    return static_cast<uint32_t>(stop - start);
  };
  const auto& [closed, opened, changed] = difference_;
  batch.closed =
      each(closed.size(), [&](size_t place) { rows.append(before_.table, closed[place]); });
  batch.opened =
      each(opened.size(), [&](size_t place) { rows.append(after_.table, opened[place]); });
  Table were;
  batch.changed = each(changed.size(), [&](size_t place) {
    rows.append(after_.table, changed[place].first);
    were.append(before_.table, changed[place].second);
  });
  for (size_t row = 0; row < were.length(); row++) rows.append(were, row);
  each(fleeting_.length(), [&](size_t place) { rows.append(fleeting_, place); });
  told_ = end;
  if (told_ == total()) {
    // Nothing of the poll before is needed any more.
    before_ = Indexed();
    difference_ = Difference();
    fleeting_ = Table();
    told_ = 0;
  }
  sockets::Interfaces interfaces(interfaces_);
  sockets::joinInterfaces(batch.sockets, interfaces);
  sockets::finish(batch.sockets);
}

}  // namespace earshot::watch
