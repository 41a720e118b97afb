#include "watch/endings.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "error.h"
#include "sockets/diag.h"

namespace earshot::watch {
namespace {

using sockets::Row;
using sockets::Table;
using std::chrono::milliseconds;

/** Older headers lack it. */
constexpr uint16_t kProtocol = 10;  // INET_DIAG_PROTOCOL

constexpr uint8_t kTcpClose = 7;

/** A kernel message of some hundred bytes takes over a kilobyte of this. */
constexpr int kEndingsRoom = 8 * 1024 * 1024;

/** How long a socket that was closed without a TIME-WAIT may be held before its end is told. */
constexpr milliseconds kHeld{10'000};

/** How many wait for a reader who does not read. */
constexpr size_t kMostUnseen = 16'384;

/** The longest: the kernel counts in these how long somebody has been silent. */
constexpr milliseconds kJiffy{10};

struct Ending {
  uint8_t protocol = 0;
  /** Since the last packet with an acknowledgement came in; TCP alone. */
  std::optional<milliseconds> silence;
};

/** inet_diag_handler_get_info: what is told beside the socket's ends. */
Ending endingOf(const netlink::Message& message) {
  Ending ending;
  netlink::Attributes attributes(netlink::after(message.payload, sizeof(inet_diag_msg)));
  netlink::Attribute attribute;
  while (attributes.next(attribute)) {
    if (attribute.type == kProtocol) attribute.read(ending.protocol);
    uint32_t sinceAck;
    if (attribute.type == INET_DIAG_INFO &&
        netlink::load(netlink::after(attribute.value, offsetof(tcp_info, tcpi_last_ack_recv)),
                      sinceAck)) {
      ending.silence = milliseconds(sinceAck);
    }
  }
  return ending;
}

}  // namespace

Endings::Endings(const sockets::Query& query) : listener_(NETLINK_SOCK_DIAG, kEndingsRoom) {
  const auto join = [&](bool wanted, uint32_t group) {
    if (wanted && !listener_.join(group)) throwErrno("setsockopt", "listening to ends of sockets");
  };
  join(query.tcpStates != 0 && query.ipv4, SKNLGRP_INET_TCP_DESTROY);
  join(query.udpStates != 0 && query.ipv4, SKNLGRP_INET_UDP_DESTROY);
  join(query.tcpStates != 0 && query.ipv6, SKNLGRP_INET6_TCP_DESTROY);
  join(query.udpStates != 0 && query.ipv6, SKNLGRP_INET6_UDP_DESTROY);
}

void Endings::hear(const sockets::Filter* filter, const std::function<bool(uint64_t)>& isKnown) {
  const bool whole =
      listener_.drain([&](const netlink::Message& message) { take(message, filter, isKnown); });
  if (!whole) missed_ = true;
}

void Endings::take(const netlink::Message& message, const sockets::Filter* filter,
                   const std::function<bool(uint64_t)>& isKnown) {
  const Ending ending = endingOf(message);
  const bool isTcp = ending.protocol == IPPROTO_TCP;
  if (!isTcp && ending.protocol != IPPROTO_UDP) return;
  Row row;
  try {
    sockets::diag::decode(message, ending.protocol, row);
  } catch (const Failure&) {
    missed_ = true;
    return;
  }
  if (isKnown(row.cookie)) {
    ended_.insert(row.cookie);
    followers_.erase(tupleOf(row));
    return;
  }
  // Without a port it was in no table, and one whose mapped address is IPv6 is told as such.
  if (row.localPort == 0) return;
  if (isGone_.contains(row.cookie)) {
    foundSame(tupleOf(row), row.cookie);
    return;
  }
  if (isTcp) {
    // One that never heard a peer was bound, or listened, or was refused: nobody can say which. And
    // one that has been silent for longer than those that are gone are remembered may be one.
    const auto now = Clock::now();
    if (!ending.silence || now - *ending.silence < std::max(start_, now - kHeld)) return;
    row.state = kTcpClose;
  }
  if (!filter || !filter->matches(row)) return;
  if (unseen_.length() == kMostUnseen) {
    missed_ = true;
    return;
  }
  unseen_.append(row);
}

void Endings::start() {
  unseen_ = Table();
  missed_ = false;
  start_ = Clock::now() - kJiffy;
}

Table Endings::take() { return std::exchange(unseen_, Table()); }

void Endings::followed(const Table& table, size_t row) {
  const auto now = Clock::now();
  const Tuple tuple = tupleOf(table, row);
  followers_[tuple] = {now, table.column<Table::Cookie>()[row]};
  followersByAge_.emplace_back(now, tuple);
}

bool Endings::hasFollower(const Table& table, size_t row) {
  return followers_.erase(tupleOf(table, row)) > 0;
}

void Endings::found(const Table& table, size_t row) { followers_.erase(tupleOf(table, row)); }

void Endings::foundSame(const Table& table, size_t row) {
  foundSame(tupleOf(table, row), table.column<Table::Cookie>()[row]);
}

void Endings::foundSame(const Tuple& tuple, uint64_t cookie) {
  const auto follower = followers_.find(tuple);
  if (follower != followers_.end() && follower->second.cookie == cookie) followers_.erase(follower);
}

void Endings::gone(uint64_t cookie) {
  if (ended_.erase(cookie) > 0) return;  // its end has been told, which is told once
  gone_.emplace_back(Clock::now(), cookie);
  isGone_.insert(cookie);
}

void Endings::polled() {
  const auto old = Clock::now() - kHeld;
  while (!gone_.empty() && gone_.front().first < old) {
    isGone_.erase(gone_.front().second);
    gone_.pop_front();
  }
  while (!followersByAge_.empty() && followersByAge_.front().first < old) {
    const auto& [when, tuple] = followersByAge_.front();
    const auto found = followers_.find(tuple);
    if (found != followers_.end() && found->second.when == when) followers_.erase(found);
    followersByAge_.pop_front();
  }
}

}  // namespace earshot::watch
