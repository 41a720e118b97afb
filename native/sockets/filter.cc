#include "sockets/filter.h"

#include <linux/inet_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "netlink/message.h"

namespace earshot::sockets {
namespace {

using Program = std::vector<uint8_t>;

/** Sorted, and those that touch made one. */
std::vector<PortRange> merge(std::vector<PortRange> ranges) {
  std::ranges::sort(ranges, {}, &PortRange::from);
  std::vector<PortRange> merged;
  for (const PortRange& range : ranges) {
    if (!merged.empty() && range.from <= merged.back().to + 1) {
      merged.back().to = std::max(merged.back().to, range.to);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

bool anyHolds(const std::vector<PortRange>& ranges, uint16_t port) {
  if (ranges.empty()) return true;
  const auto behind = std::ranges::upper_bound(ranges, port, {}, &PortRange::from);
  return behind != ranges.begin() && port <= std::prev(behind)->to;
}

bool sameFront(const uint8_t* one, const uint8_t* other, unsigned bits) {
  if (std::memcmp(one, other, bits / 8) != 0) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((one[bits / 8] ^ other[bits / 8]) >> (8 - rest)) == 0;
}

/*
 * The program (inet_diag_bc_run, inet_diag_bc_audit): operations of four bytes and their arguments,
 * each saying how far to go on when it holds (`yes`) and when not (`no`). Running exactly to the
 * end accepts the socket, a jump four bytes behind the end refuses it. Conditions are written with
 * `no` = kRefuse first and get their distance when the length of the whole is known.
 */
constexpr uint16_t kRefuse = 0;

/** INET_DIAG_BC_CGROUP_COND, of Linux 5.8: the headers that this builds with may lack it. */
constexpr uint8_t kCgroupCondition = 13;

/** Where in the program an operation waits for its distance to the refusal. */
using Pending = std::vector<size_t>;

void condition(Program& program, Pending& pending, uint8_t code, const Program& argument) {
  const auto length = static_cast<uint8_t>(sizeof(inet_diag_bc_op) + argument.size());
  pending.push_back(program.size());
  netlink::put(program, inet_diag_bc_op{code, length, kRefuse});
  program.insert(program.end(), argument.begin(), argument.end());
}

template <class T>
Program bytesOf(const T& value) {
  Program bytes;
  netlink::put(bytes, value);
  return bytes;
}

/** A port is compared with the `no` of a second operation. */
Program portArgument(uint16_t port) { return bytesOf(inet_diag_bc_op{0, 0, port}); }

/** How many ranges the kernel is given; of more it gets the range from the first to the last. */
constexpr size_t kMostRanges = 64;

/** from <= port <= to for one of the ranges: two comparisons each, and a jump over the others. */
void portConditions(Program& program, Pending& pending, std::vector<PortRange> ranges,
                    uint8_t atLeast, uint8_t atMost) {
  constexpr size_t kComparison = 2 * sizeof(inet_diag_bc_op);
  constexpr size_t kAlternative = 2 * kComparison + sizeof(inet_diag_bc_op);
  if (ranges.empty()) return;
  if (ranges.size() > kMostRanges) ranges = {{ranges.front().from, ranges.back().to}};
  for (size_t at = 0; at + 1 < ranges.size(); at++) {
    const auto [from, to] = ranges[at];
    netlink::put(program, inet_diag_bc_op{atLeast, kComparison, kAlternative});
    netlink::put(program, inet_diag_bc_op{0, 0, from});
    netlink::put(program, inet_diag_bc_op{atMost, kComparison, kAlternative - kComparison});
    netlink::put(program, inet_diag_bc_op{0, 0, to});
    // INET_DIAG_BC_JMP always goes by its `no`. The last alternative has no jump behind it.
    const size_t behind = (ranges.size() - at - 1) * kAlternative;
    netlink::put(program, inet_diag_bc_op{INET_DIAG_BC_JMP, sizeof(inet_diag_bc_op),
                                          static_cast<uint16_t>(behind)});
  }
  condition(program, pending, atLeast, portArgument(ranges.back().from));
  condition(program, pending, atMost, portArgument(ranges.back().to));
}

/**
 * The kernel holds an IPv4 condition against an IPv6 socket too, by the IPv4 address mapped into
 * its own, just as holds() does.
 */
Program addressArgument(const Prefix& prefix) {
  inet_diag_hostcond head{};
  head.family = prefix.family == 4 ? AF_INET : AF_INET6;
  head.prefix_len = prefix.length;
  head.port = -1;
  Program argument;
  netlink::put(argument, head);
  netlink::put(argument, prefix.address);
  argument.resize(sizeof head + (prefix.family == 4 ? 4 : 16));
  return argument;
}

}  // namespace

bool holds(const Prefix& prefix, uint8_t family, const Address& address) {
  constexpr Address kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (prefix.family == family) {
    return sameFront(prefix.address.data(), address.data(), prefix.length);
  }
  return prefix.family == 4 && sameFront(kMapped.data(), address.data(), 96) &&
         sameFront(prefix.address.data(), address.data() + 12, prefix.length);
}

Filter::Filter(const Query& query, std::optional<uint32_t> boundIndex)
    : localPorts_(merge(query.localPorts)),
      remotePorts_(merge(query.remotePorts)),
      local_(query.local),
      remote_(query.remote),
      boundIndex_(boundIndex),
      uid_(query.uid),
      mark_(query.mark),
      cgroup_(query.cgroup) {
  Pending pending;
  portConditions(program_, pending, localPorts_, INET_DIAG_BC_S_GE, INET_DIAG_BC_S_LE);
  portConditions(program_, pending, remotePorts_, INET_DIAG_BC_D_GE, INET_DIAG_BC_D_LE);
  if (local_) condition(program_, pending, INET_DIAG_BC_S_COND, addressArgument(*local_));
  if (remote_) condition(program_, pending, INET_DIAG_BC_D_COND, addressArgument(*remote_));
  if (boundIndex_) condition(program_, pending, INET_DIAG_BC_DEV_COND, bytesOf(*boundIndex_));
  if (mark_) {
    const inet_diag_markcond exact{*mark_, ~uint32_t{0}};
    condition(program_, pending, INET_DIAG_BC_MARK_COND, bytesOf(exact));
  }
  if (cgroup_) condition(program_, pending, kCgroupCondition, bytesOf(*cgroup_));
  for (const size_t at : pending) {
    const auto distance = static_cast<uint16_t>(program_.size() + sizeof(inet_diag_bc_op) - at);
    std::memcpy(program_.data() + at + offsetof(inet_diag_bc_op, no), &distance, sizeof distance);
  }
}

Filter::Filter(Half half) : half_(half), program_(programOf(half)) {}

bool Filter::matches(const Row& row) const {
  if (half_ && halfOf(row.localPort, row.remotePort) != *half_) return false;
  if (!anyHolds(localPorts_, row.localPort) || !anyHolds(remotePorts_, row.remotePort))
    return false;
  if (local_ && !holds(*local_, row.family, row.localAddress)) return false;
  if (remote_ && !holds(*remote_, row.family, row.remoteAddress)) return false;
  if (boundIndex_ && row.boundInterface != *boundIndex_) return false;
  if (uid_ && row.uid != *uid_) return false;
  // A mark that is not told is not known to be this one.
  if (mark_ && (!(row.flags & kMarkKnown) || row.mark != *mark_)) return false;
  if (cgroup_ && row.cgroup != *cgroup_) return false;
  return true;
}

}  // namespace earshot::sockets
